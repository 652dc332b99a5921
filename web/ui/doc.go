// Package ui is the parts that pages are made of: frame, state badge, table
// pieces, time and duration in words. A component is pure: the same struct
// gives the same HTML, on the first paint and in the stream. It knows no
// database, no clock and no request.
package ui
