// Package sealed is the wrapping of encrypted WS-Man messages over plain http:
// multipart/encrypted as MS-WSMV 2.2.9.1 describes it, with one part per
// message, as Windows makes it for NTLM and Kerberos. It must not know which of
// the two encrypts, nor what the messages are.
package sealed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
)

const (
	boundary = "Encrypted Boundary"
	protocol = "application/HTTP-SPNEGO-session-encrypted"
	// ContentType is the content type of a sealed body. Hosts take no other
	// protocol after a Negotiate login, also when that was Kerberos: they answer
	// 415 (pywinrm issue 6).
	ContentType = `multipart/encrypted;protocol="` + protocol + `";boundary="` + boundary + `"`

	longestHeader = 1024 // a signature is 16 bytes, a Kerberos token 60
	longestPad    = 8
)

// ErrFrame is a sealed body with a wrong wrapping.
var ErrFrame = errors.New("sealed body not understood")

// Security seals and opens the messages of one connection, in their order. It
// is not safe for concurrent use: the order is part of it. After an error it is
// of no more use. Both may overwrite what they are given.
type Security interface {
	// Seal gives the header (NTLM: the signature; Kerberos: the token of the
	// message) and the sealed message.
	Seal(message []byte) (header, data []byte, err error)
	// Open undoes Seal of the other side.
	Open(header, data []byte) (message []byte, err error)
}

// Wrap seals a message whose content type is original; message may be
// overwritten.
func Wrap(s Security, message []byte, original string) ([]byte, error) {
	n := len(message)
	header, data, err := s.Seal(message)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(data)+len(header)+320)
	b = fmt.Appendf(b, "--%s\r\n\tContent-Type: %s\r\n\tOriginalContent: type=%s;Length=%d\r\n--%s\r\n\tContent-Type: application/octet-stream\r\n",
		boundary, protocol, original, n, boundary)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	b = append(append(b, header...), data...)
	return append(b, "--"+boundary+"--\r\n"...), nil
}

// IsSealed looks at a content type.
func IsSealed(kind string) bool {
	media, params, err := mime.ParseMediaType(kind)
	return err == nil && (media == "multipart/encrypted" || media == "multipart/x-multi-encrypted") &&
		strings.EqualFold(params["protocol"], protocol) && params["boundary"] == boundary
}

// Unwrap opens all parts of a sealed body, in place, and gives the content type
// of what was inside. Lengths decide where a part ends, never a search: the
// text is random bytes.
func Unwrap(s Security, body []byte) (message []byte, original string, err error) {
	for b := body; !done(b); {
		length := -1
		if !delimiter(&b) || !cut(&b, "\r\n") {
			return nil, "", ErrFrame
		}
		for range 2 {
			name, value, ok := line(&b)
			switch {
			case ok && name == "content-type" && strings.EqualFold(value, protocol):
			case ok && name == "originalcontent":
				kind, n, ok := strings.Cut(value, ";Length=")
				if length, err = strconv.Atoi(n); !ok || err != nil || length < 0 {
					return nil, "", ErrFrame
				}
				original = strings.TrimPrefix(kind, "type=")
			default:
				return nil, "", ErrFrame
			}
		}
		if length < 0 || !delimiter(&b) || !cut(&b, "\r\n") {
			return nil, "", ErrFrame
		}
		if name, value, ok := line(&b); !ok || name != "content-type" || value != "application/octet-stream" {
			return nil, "", ErrFrame
		}
		if len(b) < 4 {
			return nil, "", ErrFrame
		}
		h := int64(binary.LittleEndian.Uint32(b))
		if h > longestHeader || int64(len(b)) < 4+h+int64(length) {
			return nil, "", ErrFrame
		}
		header, data := b[4:4+h], b[4+h:]
		size := length + pad(data[length:])
		b = data[size:]
		if !starts(b) {
			return nil, "", ErrFrame
		}
		part, err := s.Open(header, data[:size:size])
		if err != nil {
			return nil, "", err
		}
		if part = unpadded(part); len(part) > length {
			return nil, "", ErrFrame
		}
		if message == nil {
			message = part
		} else {
			message = append(message, part...)
		}
	}
	if message == nil {
		return nil, "", ErrFrame
	}
	return message, original, nil
}

// pad is how much longer than announced the data is: RC4 of Kerberos pads with 1
// to 8 bytes, and some do not count them (python-kerberos issue 36).
func pad(rest []byte) int {
	for n := range longestPad + 1 {
		if n <= len(rest) && starts(rest[n:]) {
			return n
		}
	}
	return 0
}

// unpadded is a message without the padding of RC4, whose bytes are their
// number (RFC 1964, 1.2.2.3): no XML ends so.
func unpadded(message []byte) []byte {
	n := len(message)
	if n == 0 || message[n-1] < 1 || message[n-1] > longestPad {
		return message
	}
	size := int(message[n-1])
	if size > n || len(bytes.Trim(message[n-size:], string(message[n-1:]))) > 0 {
		return message
	}
	return message[:n-size]
}

// cut takes a prefix off b.
func cut(b *[]byte, prefix string) bool {
	rest, ok := bytes.CutPrefix(*b, []byte(prefix))
	if ok {
		*b = rest
	}
	return ok
}

// starts reports whether b begins with a delimiter.
func starts(b []byte) bool { return delimiter(&b) }

// delimiter takes "--Encrypted Boundary" off; some hosts put a space between
// (a comment in pypsrp names Exchange's own endpoint).
func delimiter(b *[]byte) bool {
	return cut(b, "--"+boundary) || cut(b, "-- "+boundary)
}

// line takes one header line off, with or without its tab.
func line(b *[]byte) (name, value string, ok bool) {
	raw, _, found := bytes.Cut((*b)[:min(len(*b), 512)], []byte("\r\n"))
	if !found {
		return "", "", false
	}
	*b = (*b)[len(raw)+2:]
	name, value, ok = strings.Cut(strings.TrimLeft(string(raw), "\t "), ":")
	return strings.ToLower(name), strings.TrimSpace(value), ok
}

// done reports whether only the end is left.
func done(b []byte) bool {
	return delimiter(&b) && (string(b) == "--\r\n" || string(b) == "--")
}
