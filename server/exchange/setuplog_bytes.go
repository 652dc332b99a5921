package exchange

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// mostLineBytes is as much of a line as is looked at; the rest is dropped, and
// the line stays one line.
const mostLineBytes = 64 << 10

// lineCutter makes lines of the bytes of a growing file, in UTF-8, UTF-16 of
// either order, or the western ANSI page for lines that are none of these.
type lineCutter struct {
	raw     []byte // not yet a whole line
	seen    int    // bytes of raw that hold no line end
	sniffed bool
	wide    binary.ByteOrder // nil for one-byte encodings
	text    []byte           // of the last line, decoded
}

// cut hands each whole line to take, decoded and without its end. The slice is
// take's only until it returns.
func (c *lineCutter) cut(b []byte, take func(text []byte)) {
	c.raw = append(c.raw, b...)
	if !c.sniffed && !c.sniff(false) {
		return
	}
	begin := 0
	for {
		end, width := c.lineEnd(begin)
		if end < 0 {
			break
		}
		line := c.raw[begin:end]
		if len(line) > mostLineBytes {
			line = line[:mostLineBytes]
		}
		take(c.decode(line))
		begin, c.seen = end+width, 0
	}
	c.raw = append(c.raw[:0], c.raw[begin:]...)
	if c.wide == nil {
		c.seen = len(c.raw)
	} else {
		c.seen = len(c.raw) &^ 1
	}
	if c.seen > mostLineBytes { // keep the front, and the odd byte at the end
		c.raw = append(c.raw[:mostLineBytes], c.raw[c.seen:]...)
		c.seen = mostLineBytes
	}
}

// rest is the last line as far as it is written; ok is false when nothing is
// there after the last line end.
func (c *lineCutter) rest() (text []byte, ok bool) {
	if !c.sniffed {
		c.sniff(true)
	}
	return c.decode(c.raw), len(c.raw) > 0
}

func (c *lineCutter) lineEnd(begin int) (end, width int) {
	from := begin + c.seen
	if c.wide == nil {
		if i := bytes.IndexByte(c.raw[from:], '\n'); i >= 0 {
			return from + i, 1
		}
		return -1, 0
	}
	for from < len(c.raw) {
		i := bytes.IndexByte(c.raw[from:], '\n')
		if i < 0 {
			return -1, 0
		}
		at := begin + (from+i-begin)&^1
		if at+1 < len(c.raw) && c.wide.Uint16(c.raw[at:]) == '\n' {
			return at, 2
		}
		from = at + 2
	}
	return -1, 0
}

// sniff tells the encoding from the first bytes. Without a byte order mark it is
// UTF-16 when every other of the first bytes is zero.
func (c *lineCutter) sniff(atEnd bool) bool {
	if len(c.raw) < 4 && !atEnd {
		return false
	}
	c.sniffed = true
	zero := func(i int) bool { return i < len(c.raw) && c.raw[i] == 0 }
	some := func(i int) bool { return i < len(c.raw) && c.raw[i] != 0 }
	switch {
	case bytes.HasPrefix(c.raw, []byte("\xef\xbb\xbf")):
		c.raw = c.raw[3:]
	case bytes.HasPrefix(c.raw, []byte("\xff\xfe")):
		c.wide, c.raw = binary.LittleEndian, c.raw[2:]
	case bytes.HasPrefix(c.raw, []byte("\xfe\xff")):
		c.wide, c.raw = binary.BigEndian, c.raw[2:]
	case some(0) && zero(1) && some(2) && zero(3):
		c.wide = binary.LittleEndian
	case zero(0) && some(1) && zero(2) && some(3):
		c.wide = binary.BigEndian
	}
	return true
}

// decode is a line as UTF-8, without a carriage return at its end.
func (c *lineCutter) decode(b []byte) []byte {
	if len(b) >= mostLineBytes && c.wide == nil { // cut, and perhaps within a character
		b = b[:mostLineBytes]
		for cut := 1; cut < utf8.UTFMax && !utf8.Valid(b[len(b)-cut:]); cut++ {
			if utf8.RuneStart(b[len(b)-cut]) {
				b = b[:len(b)-cut]
				break
			}
		}
	}
	switch {
	case c.wide != nil:
		c.text = c.text[:0]
		for i := 0; i+1 < len(b); i += 2 {
			u := rune(c.wide.Uint16(b[i:]))
			if utf16.IsSurrogate(u) {
				if i+3 < len(b) {
					if pair := utf16.DecodeRune(u, rune(c.wide.Uint16(b[i+2:]))); pair != utf8.RuneError {
						u = pair
						i += 2
					}
				}
			}
			c.text = utf8.AppendRune(c.text, u)
		}
		b = c.text
	case !utf8.Valid(b):
		c.text = c.text[:0]
		for _, one := range b {
			c.text = utf8.AppendRune(c.text, charmap.Windows1252.DecodeByte(one))
		}
		b = c.text
	}
	return bytes.TrimSuffix(b, []byte("\r"))
}
