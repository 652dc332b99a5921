package winrm

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// declaration refuses an encoding that the document was not made UTF-8 from.
func declaration(text string) error {
	if name, _, _ := strings.Cut(text, " "); name != "xml" {
		return nil
	}
	_, encoding, found := strings.Cut(text, "encoding=")
	if !found {
		return nil
	}
	encoding = strings.Trim(strings.TrimSpace(encoding), `"'`)
	if i := strings.IndexAny(encoding, `"' `); i >= 0 {
		encoding = encoding[:i]
	}
	switch strings.ToLower(encoding) {
	case "utf-8", "utf-16", "us-ascii":
		return nil
	}
	return syntaxError(fmt.Sprintf("charset %.20q", encoding))
}

// text adds character data to the element that is open.
func (s *scanner) text(text string, escaped bool) error {
	if escaped && strings.Contains(text, "]]>") {
		return syntaxError("the end of CDATA without its begin")
	}
	text, err := unquote(text, escaped)
	if err != nil {
		return err
	}
	blank := strings.TrimSpace(text) == ""
	if len(s.stack) == 0 {
		if !blank {
			return syntaxError("text outside of the document")
		}
		return nil
	}
	n := &s.stack[len(s.stack)-1]
	switch {
	case len(n.kids) > 0 && blank:
	case n.many:
		n.parts = append(n.parts, text...)
	case n.text == "":
		n.text = text
	default:
		n.many = true
		n.parts = append(append(n.parts, n.text...), text...)
	}
	return nil
}

// unquote undoes entities and line ends, and refuses what XML cannot hold.
func unquote(text string, escaped bool) (string, error) {
	i := 0
	for i < len(text) && (text[i] >= 0x20 || text[i] == '\t' || text[i] == '\n') && text[i] != '&' && text[i] < utf8.RuneSelf {
		i++
	}
	if i == len(text) {
		return text, nil
	}
	var b strings.Builder
	b.Grow(len(text))
	b.WriteString(text[:i])
	for i < len(text) {
		c := text[i]
		switch {
		case c == '&' && escaped:
			end := strings.IndexByte(text[i:min(len(text), i+12)], ';')
			if end < 0 {
				return "", syntaxError("an & that begins no entity")
			}
			r, ok := entity(text[i+1 : i+end])
			if !ok {
				return "", syntaxError(fmt.Sprintf("entity %.12q", text[i+1:i+end]))
			}
			b.WriteRune(r)
			i += end + 1
		case c == '\r':
			b.WriteByte('\n')
			if i++; i < len(text) && text[i] == '\n' {
				i++
			}
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if !inXML(r) {
				return "", syntaxError(fmt.Sprintf("character %U", r))
			}
			b.WriteString(text[i : i+size])
			i += size
		}
	}
	return b.String(), nil
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, isNumber := strings.CutPrefix(name, "#")
	if !isNumber {
		return 0, false
	}
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && n <= utf8.MaxRune && inXML(rune(n))
}

// inXML reports whether XML 1.0 can carry a character.
func inXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}
