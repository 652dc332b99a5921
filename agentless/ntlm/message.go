package ntlm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Flags of the negotiation (MS-NLMP 2.2.2.5) and attributes (2.2.2.1).
const (
	flagUnicode       = 1 << 0
	flagOEM           = 1 << 1
	flagRequestTarget = 1 << 2
	flagSign          = 1 << 4
	flagSeal          = 1 << 5
	flagNTLM          = 1 << 9
	flagAnonymous     = 1 << 11
	flagAlwaysSign    = 1 << 15
	flagTargetServer  = 1 << 17
	flagExtended      = 1 << 19
	flagTargetInfo    = 1 << 23
	flagVersion       = 1 << 25
	flag128           = 1 << 29
	flagKeyExchange   = 1 << 30
	flag56            = 1 << 31

	needed = flagUnicode | flagSign | flagSeal | flagNTLM | flagExtended | flag128 | flagKeyExchange
	wanted = needed | flagRequestTarget | flagAlwaysSign | flagTargetInfo | flag56

	avEOL, avComputer, avDomain, avDNSComputer, avDNSDomain = 0, 1, 2, 3, 4
	avFlags, avTimestamp, avTargetName, avBindings          = 6, 7, 9, 10
	avFlagMIC                                               = 2

	maxToken = 8 << 10
)

var (
	signature = []byte("NTLMSSP\x00")
	// ErrMessage is a token that is no NTLM message of the kind expected.
	ErrMessage = errors.New("not an NTLM message of the kind expected")
	// ErrLogon is a proof that does not fit the account (server side).
	ErrLogon = errors.New("logon failure")
	// ErrTampered is a sealed message that was changed, left out or repeated.
	ErrTampered = errors.New("sealed message was changed, left out or repeated")
	le          = binary.LittleEndian
)

// Weak is a peer that does not offer what sealing needs.
// Nothing that proves the password was sent to it.
type Weak struct{ Missing uint32 }

// Error names what is missing.
func (w *Weak) Error() string {
	names := map[uint32]string{
		flagUnicode: "Unicode", flagSign: "signing", flagSeal: "sealing", flagNTLM: "NTLM",
		flagExtended: "extended session security", flag128: "128-bit keys", flagKeyExchange: "key exchange",
	}
	var out []byte
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if w.Missing&bit != 0 {
			out = fmt.Appendf(out, ", %s", names[bit])
		}
	}
	return "the host's NTLM offers no " + string(bytes.TrimPrefix(out, []byte(", ")))
}

// field reads the payload that the 8 bytes at point to.
func field(m []byte, at int) ([]byte, error) {
	if len(m) < at+8 {
		return nil, ErrMessage
	}
	n, off := int(le.Uint16(m[at:])), int64(le.Uint32(m[at+4:]))
	if n == 0 {
		return nil, nil
	}
	if off < 12 || off+int64(n) > int64(len(m)) {
		return nil, ErrMessage
	}
	return m[off : off+int64(n) : off+int64(n)], nil
}

// setField appends a payload to m and notes it at the 8 bytes.
func setField(m []byte, at int, value []byte) []byte {
	le.PutUint16(m[at:], uint16(len(value)))
	le.PutUint16(m[at+2:], uint16(len(value)))
	le.PutUint32(m[at+4:], uint32(len(m)))
	return append(m, value...)
}

// header starts a message.
func header(kind uint32, size int) []byte {
	m := make([]byte, size, 512)
	copy(m, signature)
	le.PutUint32(m[8:], kind)
	return m
}

// check looks at kind and size of a message that came.
func check(m []byte, kind uint32, least int) error {
	if len(m) < least || len(m) > maxToken || !bytes.HasPrefix(m, signature) || le.Uint32(m[8:]) != kind {
		return ErrMessage
	}
	return nil
}

// toUTF16 writes little-endian UTF-16.
func toUTF16(s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("text is not UTF-8")
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = le.AppendUint16(out, u)
	}
	return out, nil
}

// fromUTF16 reads little-endian UTF-16; an odd last byte is dropped.
func fromUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = le.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
