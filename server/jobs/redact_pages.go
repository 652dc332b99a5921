package jobs

import (
	"slices"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/unicode/norm"
)

// codePages are those in which programs of Windows write, in a console or
// elsewhere, by the languages that Windows Server has.
var codePages = []encoding.Encoding{
	charmap.CodePage437, charmap.CodePage850, charmap.CodePage852, charmap.CodePage866,
	charmap.Windows1250, charmap.Windows1251, charmap.Windows1252, charmap.Windows1253, charmap.Windows1254,
	japanese.ShiftJIS, korean.EUCKR, simplifiedchinese.GBK, traditionalchinese.Big5,
}

// leastLeft is how many characters of a secret must be told by its form in a code
// page that lacks some of them: question marks alone say nothing.
const leastLeft = 3

// inCodePages is a text as programs of Windows write it in each of codePages,
// without those that are as in UTF-8: exactly; and where the code page lacks a
// character, with its letter without the accent (Windows' best fit) or with a
// question mark.
func inCodePages(text string) [][]byte {
	if !slices.ContainsFunc([]byte(text), func(b byte) bool { return b >= 0x80 }) {
		return nil
	}
	var out [][]byte
	for _, page := range codePages {
		for _, fits := range []bool{true, false} {
			if raw, ok := inCodePage(page, text, fits); ok && !slices.ContainsFunc(out, func(have []byte) bool { return string(have) == string(raw) }) {
				out = append(out, raw)
			}
		}
	}
	return out
}

func inCodePage(page encoding.Encoding, text string, fits bool) (raw []byte, ok bool) {
	lost, left := false, 0
	for _, r := range text {
		one, err := page.NewEncoder().Bytes([]byte(string(r)))
		if base := []rune(norm.NFKD.String(string(r))); err != nil && fits && len(base) > 0 && base[0] < unicode.MaxASCII && base[0] > ' ' {
			one, err, lost = []byte(string(base[0])), nil, true
		}
		if err != nil {
			raw, lost = append(raw, '?'), true
			continue
		}
		raw = append(raw, one...)
		left++
	}
	return raw, !lost || left >= leastLeft
}
