package exchange

import (
	"fmt"
	"strings"
)

// Nearest returns the known name that needs the fewest edits to become the
// given one, without regard to case; "" when nothing is known.
func Nearest(name string, known []string) string {
	best, least := "", -1
	for _, k := range known {
		if d := edits(strings.ToLower(name), strings.ToLower(k)); least < 0 || d < least {
			best, least = k, d
		}
	}
	return best
}

// Near says after the given words which known name is meant by the given one,
// such as `: the nearest is "sp1"`; nothing where none is near.
func Near(name string, known []string, words string) string {
	best := Nearest(name, known)
	if best == "" || edits(strings.ToLower(name), strings.ToLower(best)) > max(2, len([]rune(name))/3) {
		return ""
	}
	return fmt.Sprintf("%s %q", words, best)
}

// edits is the Levenshtein distance in runes.
func edits(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, ra := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, rb := range to {
			change := diagonal
			if ra != rb {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
