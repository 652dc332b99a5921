// Package page is the pages: one view struct each, which already says in words
// what is shown, and HTML out. It runs no query, reads no clock and decides
// nothing.
package page
