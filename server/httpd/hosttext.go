package httpd

import (
	"bytes"
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
		if c == '\t' {
			b.WriteString("    ")
			continue
		}
		mark(&b, c)
	}
	return b.String()
}

// mark writes a character, or what stands for it when it does not show.
func mark(b *strings.Builder, c rune) {
	switch {
	case c < 0x20:
		b.WriteRune(0x2400 + c) // the control pictures of Unicode
	case c == 0x7f:
		b.WriteRune(0x2421)
	case hidden(c):
		fmt.Fprintf(b, "[U+%04X]", c)
	default:
		b.WriteRune(c)
	}
}

// visible marks, in a finished piece of HTML, what is left of hidden
// characters: whatever text a page shows, wherever it came from, none of it can
// reorder or hide what stands beside it. A textarea keeps its text, since it is
// sent back.
func visible(html []byte) []byte {
	odd := func(c rune) bool { return hidden(c) && c != '\n' && c != '\r' && c != '\t' }
	if bytes.IndexFunc(html, odd) < 0 {
		return html
	}
	var b strings.Builder
	for rest := string(html); rest != ""; {
		shown, kept := rest, ""
		if begin := strings.Index(rest, "<textarea"); begin >= 0 {
			end := len(rest)
			if n := strings.Index(rest[begin:], "</textarea>"); n >= 0 {
				end = begin + n
			}
			shown, kept = rest[:begin], rest[begin:end]
		}
		rest = rest[len(shown)+len(kept):]
		for _, c := range shown {
			if odd(c) {
				mark(&b, c)
			} else {
				b.WriteRune(c)
			}
		}
		b.WriteString(kept)
	}
	return []byte(b.String())
}

// hidden reports characters that do not show or that reorder what does.
func hidden(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp) || c == unicode.ReplacementChar
}
