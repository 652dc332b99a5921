package windows

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Quote returns s as a single-quoted PowerShell string. PowerShell takes the
// typographic quotes U+2018 to U+201B for ' as well, so they are doubled too.
// NUL cannot be in an argument; bytes that are not UTF-8 would arrive changed.
// Binary data is sent as base64. Line breaks stay as they are; what has to be
// one line refuses them itself.
func Quote(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("argument %q is not UTF-8", s)
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == 0:
			return "", fmt.Errorf("argument %q holds a NUL", s)
		case r == '\'' || r >= 0x2018 && r <= 0x201B:
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String(), nil
}
