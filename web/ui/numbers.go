package ui

import "strconv"

// Digits returns n as digits.
func Digits(n int) string { return strconv.Itoa(n) }

// Percent returns n as digits, kept between 0 and 100.
func Percent(n int) string { return strconv.Itoa(min(100, max(0, n))) }

// StackBox returns the viewBox of a stacked bar: as wide as its parts' sum.
func StackBox(parts []Part) string { return "0 0 " + strconv.Itoa(max(1, sum(parts))) + " 4" }

// StackStart returns where the i-th part of a stacked bar begins.
func StackStart(parts []Part, i int) string { return strconv.Itoa(sum(parts[:i])) }

func sum(parts []Part) int {
	n := 0
	for _, p := range parts {
		n += p.Count
	}
	return n
}
