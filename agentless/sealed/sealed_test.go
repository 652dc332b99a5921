package sealed

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

const soap = "application/soap+xml;charset=UTF-8"

// open is a Security without any, which adds what it is told to.
type open struct{ after string }

func (o open) Seal(m []byte) (header, data []byte, err error) {
	return make([]byte, 16), append(bytes.Clone(m), o.after...), nil
}
func (open) Open(_, data []byte) ([]byte, error) { return data, nil }

func wrap(t testing.TB, s Security, text string) []byte {
	t.Helper()
	body, err := Wrap(s, []byte(text), soap)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The body as pywinrm writes it (encryption.py).
func TestTheWrappingIsThatOfOthers(t *testing.T) {
	t.Parallel()
	want := "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=5\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n\x10\x00\x00\x00" + strings.Repeat("\x00", 16) + "hello--Encrypted Boundary--\r\n"
	if got := string(wrap(t, open{}, "hello")); got != want {
		t.Errorf("wrapped %q, want %q", got, want)
	}
	if !IsSealed(ContentType) || IsSealed(soap) || IsSealed("multipart/encrypted") {
		t.Error("content types are told apart wrongly")
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	good := wrap(t, open{}, "<hello/>")
	for what, body := range map[string][]byte{
		"as sent":                  good,
		"with a blank":             []byte("-- " + string(good[2:])),
		"padded":                   wrap(t, open{"\x01"}, "<hello/>"),
		"padded with four":         wrap(t, open{"\x04\x04\x04\x04"}, "<hello/>"),
		"padded, and counted":      wrap(t, open{}, "<hello/>\x03\x03\x03"),
		"in two parts":             append(bytes.TrimSuffix(wrap(t, open{}, "<hel"), []byte("--Encrypted Boundary--\r\n")), wrap(t, open{}, "lo/>")...),
		"without the last newline": bytes.TrimSuffix(good, []byte("\r\n")),
	} {
		m, kind, err := Unwrap(open{}, bytes.Clone(body))
		if err != nil || string(m) != "<hello/>" || kind != soap {
			t.Errorf("%s: %q of %q, %v", what, m, kind, err)
		}
	}
	for i := range len(good) - 2 {
		if m, _, err := Unwrap(open{}, bytes.Clone(good[:i])); !errors.Is(err, ErrFrame) {
			t.Errorf("cut after %d bytes: %q, %v", i, m, err)
		}
	}
	for what, body := range map[string]string{
		"a length that is no number":  strings.Replace(string(good), "Length=8", "Length=x", 1),
		"a negative length":           strings.Replace(string(good), "Length=8", "Length=-8", 1),
		"a length that is too large":  strings.Replace(string(good), "Length=8", "Length=4000000000", 1),
		"too short a length":          strings.Replace(string(good), "Length=8", "Length=7", 1),
		"another protocol":            strings.Replace(string(good), "HTTP-SPNEGO", "HTTP-CredSSP", 1),
		"a header of 4 GB":            strings.Replace(string(good), "\x10\x00\x00\x00", "\xff\xff\xff\xff", 1),
		"more padding than announced": string(wrap(t, open{"abc"}, "<hello/>")),
	} {
		if m, _, err := Unwrap(open{}, []byte(body)); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %q, %v", what, m, err)
		}
	}
}

// The SHA-256 of a SHA-1 certificate is taken (RFC 5929, 4.1), that of one with
// SHA-384 is not.
func TestChannelBindingTakesTheHashOfTheSignature(t *testing.T) {
	t.Parallel()
	seen := map[string]x509.SignatureAlgorithm{}
	for _, a := range []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.ECDSAWithSHA384, x509.SHA512WithRSA} {
		b := ChannelBinding(&x509.Certificate{Raw: []byte("certificate"), SignatureAlgorithm: a})
		if other, ok := seen[string(b)]; ok || len(b) != 16 {
			t.Errorf("%s: %x, as for %s", a, b, other)
		}
		seen[string(b)] = a
	}
	one := ChannelBinding(&x509.Certificate{Raw: []byte("certificate"), SignatureAlgorithm: x509.SHA1WithRSA})
	two := ChannelBinding(&x509.Certificate{Raw: []byte("certificate"), SignatureAlgorithm: x509.SHA256WithRSA})
	if !bytes.Equal(one, two) {
		t.Error("SHA-1 does not count as SHA-256")
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(wrap(f, open{}, "hello"))
	f.Add(wrap(f, open{"\x01"}, "hello"))
	f.Add(append(wrap(f, open{}, "a"), wrap(f, open{}, "b")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = Unwrap(open{}, b) // it must not panic
	})
}
