package httpd

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"wavekeeper/server/store"
	"wavekeeper/web/page"
)

// roleKeys is where the keys of the roles lie (domain.md 3.1).
const roleKeys = `HKLM\SOFTWARE\Microsoft\Exchange\v8.0`

// marks is Action and Watermark as they were read from a host.
type marks struct {
	at    time.Time // zero = they were never read
	fault string    // why they could not be read
	list  []store.Marker
}

// readMarks reads evidence of the kind registry: the values as regedit.exe
// exports them, or a line "not read: why".
func readMarks(file store.EvidenceContent) marks {
	text := asText(file.Data)
	m := marks{at: file.At}
	if why, ok := strings.CutPrefix(text, "not read: "); ok {
		m.fault = strings.TrimSpace(why)
		return m
	}
	role := ""
	for _, line := range linesOf(text) {
		if key, ok := strings.CutPrefix(line, "["); ok {
			role = strings.TrimSuffix(key, "]")
			role = role[strings.LastIndexByte(role, '\\')+1:]
			continue
		}
		name, rest, ok := regString(line)
		value, assigned := strings.CutPrefix(rest, "=")
		if !ok || !assigned {
			if strings.HasPrefix(line, ";") && role != "" {
				m.list = append(m.list, store.Marker{Role: role, Name: strings.TrimSpace(strings.TrimPrefix(line, ";"))})
			}
			continue
		}
		one := store.Marker{Role: role, Name: name}
		if digits, ok := strings.CutPrefix(value, "dword:"); ok {
			n, err := strconv.ParseUint(digits, 16, 32)
			if err != nil {
				m.fault = fmt.Sprintf("%s\\%s is not a number: %s", role, name, digits)
				continue
			}
			one.Kind, one.Value = "REG_DWORD", strconv.FormatUint(n, 10)
		} else if text, _, ok := regString(value); ok {
			one.Kind, one.Value = "REG_SZ", text
		} else {
			one.Value = value
		}
		m.list = append(m.list, one)
	}
	return m
}

// after is the marks with what decisions cleared or put back since they were read.
func (m marks) after(decided []store.MarkerRow) marks {
	list := slices.Clone(m.list)
	for _, d := range decided {
		same := func(one store.Marker) bool {
			return strings.EqualFold(one.Role, d.Role) && strings.EqualFold(one.Name, d.Name)
		}
		if d.ClearedAt.After(m.at) {
			list = slices.DeleteFunc(list, same)
		}
		if d.PutBackAt != nil && d.PutBackAt.After(m.at) {
			list = append(slices.DeleteFunc(list, same), d.Marker)
		}
	}
	m.list = list
	return m
}

// regString reads a quoted text of a .reg file and returns what follows it.
func regString(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(c)
		}
	}
	return "", s, false
}

func (m marks) rows() []page.MarkerRow {
	var rows []page.MarkerRow
	for _, one := range m.list {
		rows = append(rows, markerRow(one))
	}
	return rows
}

func markerRow(m store.Marker) page.MarkerRow {
	return page.MarkerRow{Path: clean(roleKeys + `\` + m.Role + `\` + m.Name), Kind: clean(m.Kind), Value: clean(m.Value)}
}

// asText reads bytes of a host as text: UTF-16 by its mark, UTF-8, else one
// character a byte, so that nothing is lost.
func asText(data []byte) string {
	if low, high := bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}); low || high {
		units := make([]uint16, 0, len(data)/2)
		for i := 2; i+1 < len(data); i += 2 {
			u := uint16(data[i]) | uint16(data[i+1])<<8
			if high {
				u = u<<8 | u>>8
			}
			units = append(units, u)
		}
		return string(utf16.Decode(units))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if utf8.Valid(data) {
		return string(data)
	}
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// linesOf splits a text at its line ends; empty lines at the end are none.
func linesOf(text string) []string {
	text = strings.TrimRight(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
