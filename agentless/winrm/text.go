package winrm

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// codePages are the Windows code pages that can be decoded, beside 65001.
var codePages = map[int]encoding.Encoding{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855,
	858: charmap.CodePage858, 860: charmap.CodePage860, 862: charmap.CodePage862, 863: charmap.CodePage863,
	865: charmap.CodePage865, 866: charmap.CodePage866, 874: charmap.Windows874,
	932: japanese.ShiftJIS, 936: simplifiedchinese.GBK, 949: korean.EUCKR, 950: traditionalchinese.Big5,
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253,
	1254: charmap.Windows1254, 1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257,
	1258: charmap.Windows1258,
}

// Text is the output in UTF-8; PowerShell's CLIXML on stderr becomes the text
// of its errors. Bytes that the code page does not have become U+FFFD.
func (r Result) Text() (stdout, stderr string) {
	stdout, _ = decode(r.Stdout, r.CodePage)
	stderr, _ = decode(r.Stderr, r.CodePage)
	return stdout, plainErrors(stderr)
}

// Valid reports whether all of stdout is valid in the code page.
func (r Result) Valid() bool {
	_, ok := decode(r.Stdout, r.CodePage)
	return ok
}

// decode works on whole streams: a character may be split between two answers.
func decode(data []byte, page int) (text string, valid bool) {
	table, known := codePages[page]
	if !known {
		return strings.ToValidUTF8(string(data), "\uFFFD"), utf8.Valid(data)
	}
	out, err := table.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\uFFFD"), false
	}
	return string(out), !strings.ContainsRune(string(out), utf8.RuneError)
}

const clixmlMark = "#< CLIXML"

// plainErrors replaces each CLIXML document by the text of its error records;
// progress and the like are dropped, text around stays. PowerShell writes so on
// stderr when it was started with -EncodedCommand, whatever -OutputFormat says.
func plainErrors(text string) string {
	if !strings.Contains(text, clixmlMark) {
		return text
	}
	var b strings.Builder
	rest := strings.ReplaceAll(strings.ReplaceAll(text, clixmlMark+"\r\n", ""), clixmlMark+"\n", "")
	for {
		start := strings.Index(rest, "<Objs")
		if start < 0 {
			break
		}
		size := strings.Index(rest[start:], "</Objs>")
		if size < 0 {
			break
		}
		size += len("</Objs>")
		document, err := parse([]byte(rest[start : start+size]))
		if err != nil {
			return text
		}
		b.WriteString(rest[:start])
		for _, k := range document.kids {
			if k.name.Local == "S" && strings.EqualFold(k.attr("S"), "Error") {
				b.WriteString(unescapeCLIXML(k.text))
			}
		}
		rest = rest[start+size:]
	}
	b.WriteString(rest)
	return b.String()
}

// unescapeCLIXML undoes _xHHHH_, which stands for one UTF-16 unit.
func unescapeCLIXML(s string) string {
	var (
		b     strings.Builder
		units []uint16
	)
	flush := func() {
		b.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for len(s) > 0 {
		if len(s) >= 7 && s[:2] == "_x" && s[6] == '_' {
			if u, err := strconv.ParseUint(s[2:6], 16, 16); err == nil {
				units = append(units, uint16(u))
				s = s[7:]
				continue
			}
		}
		flush()
		b.WriteByte(s[0])
		s = s[1:]
	}
	flush()
	return b.String()
}
