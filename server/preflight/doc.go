// Package preflight is what an Exchange administrator knows before he begins:
// facts as typed values, rules over them, and what the rules find. Collecting
// and judging are apart, so that old facts can be judged by new rules. The
// package is pure: no clock, no host, no database; the time is in the Subject.
package preflight
