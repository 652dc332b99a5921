package httpd

import (
	"fmt"
	"strings"
	"unicode"
)

// maxLine is where a line of a host's text is cut.
const maxLine = 8 << 10

// clean makes text that came from a host fit for a page: control characters
// and those that change the direction of writing become visible marks, and a
// line is cut at 8 KB.
func clean(text string) string {
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + " … (cut, see raw)"
	}
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '\t':
			b.WriteString("    ")
		case c < 0x20:
			b.WriteRune(0x2400 + c) // the control pictures of Unicode
		case c == 0x7f:
			b.WriteRune(0x2421)
		case hidden(c):
			fmt.Fprintf(&b, "[U+%04X]", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// hidden reports characters that do not show or that reorder what does.
func hidden(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp) || c == unicode.ReplacementChar
}
