package winrm

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrTrust is a host whose certificate is not the one that may be trusted:
// nothing but the TLS handshake was sent. It is a kind of ErrUnreachable.
var ErrTrust = fmt.Errorf("%w: its certificate is not trusted", ErrUnreachable)

// TLS says how a host's certificate is verified, and with which TLS. The zero
// value verifies the host's name against the system's authorities, with TLS 1.2
// or later.
type TLS struct {
	// ServerName is the name that the certificate must carry; Config.Host when
	// empty.
	ServerName string
	// CAs are the trusted authorities; the system's when nil.
	CAs *x509.CertPool
	// Old allows what hosts of 2003 and 2008 speak: TLS 1.0, RSA key exchange,
	// AES-CBC, 3DES and RC4; the hello is of their time, so nothing above TLS 1.2.
	Old bool
	// Pins are SHA-256 sums of whole certificates (DER). When there is one, they
	// decide alone: no authority, name or date is looked at.
	Pins []Pin
	// OnlyPins makes Pins decide alone also when there are none: each certificate
	// is then Untrusted, until a person confirmed it.
	OnlyPins bool
	// Seen, when not nil, hears of each certificate that was shown, before it is
	// verified. It must not block.
	Seen func(Pin, *x509.Certificate)
	// Trusting says, for remedies, what a person does who compared a certificate
	// and wants it trusted, with its fingerprint for %s; "--pin %s" when empty.
	Trusting string
}

// trusting is what makes the certificate trusted.
func (t *TLS) trusting(p Pin) string {
	if t == nil || t.Trusting == "" {
		return "--pin " + Fingerprint(p)
	}
	return strings.ReplaceAll(t.Trusting, "%s", Fingerprint(p))
}

// Pin is the SHA-256 of a host's whole certificate (DER).
type Pin = [sha256.Size]byte

// Fingerprint writes a pin as Windows and browsers show it: upper-case pairs
// with colons.
func Fingerprint(p Pin) string {
	pairs := make([]string, len(p))
	for i, b := range p {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}

// CompareOnHost says how the SHA-256 of a host's certificates is read on the host
// itself. PowerShell 1.0 has the drive cert:, .NET 2.0 both classes; certutil.exe
// of Windows Server 2003 and 2008 shows the SHA-1 only.
const CompareOnHost = `in PowerShell on the host itself: dir cert:\LocalMachine\My | % { $_.Subject; [BitConverter]::ToString((New-Object Security.Cryptography.SHA256Managed).ComputeHash($_.RawData)) }`

// Thumbprint is the SHA-1 of a whole certificate in lower-case hex: what certutil
// -store my calls Cert Hash(sha1) and listeners CertificateThumbprint. It is for
// people to compare, and is never taken as a pin.
func Thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Serial is a certificate's serial number in lower-case hex, in whole bytes.
func Serial(c *x509.Certificate) string {
	if c.SerialNumber == nil || len(c.SerialNumber.Bytes()) == 0 {
		return "00"
	}
	return hex.EncodeToString(c.SerialNumber.Bytes())
}

// asWindows is what Windows shows of a certificate, for people to compare.
func asWindows(c *x509.Certificate) string {
	return "thumbprint " + Thumbprint(c) + ", serial number " + Serial(c)
}

// ParsePin reads a SHA-256 fingerprint: 64 hexadecimal digits, with colons,
// blanks or dashes between them or without.
func ParsePin(text string) (Pin, error) {
	digits := strings.NewReplacer(":", "", " ", "", "-", "").Replace(text)
	var p Pin
	if len(digits) != hex.EncodedLen(len(p)) {
		return Pin{}, fmt.Errorf("a pin is the SHA-256 of the certificate, 64 hexadecimal digits; this has %d", len(digits))
	}
	if _, err := hex.Decode(p[:], []byte(digits)); err != nil {
		return Pin{}, fmt.Errorf("a pin is 64 hexadecimal digits: %w", err)
	}
	return p, nil
}

// PinChanged is a host that shows another certificate than the pinned ones. It
// is an ErrTrust; nothing but the TLS handshake was sent.
type PinChanged struct {
	Host     string
	Want     []Pin
	Got      Pin
	Subject  string
	NotAfter time.Time
	Windows  string // how Windows shows it: SHA-1 and serial number, to compare by
}

// Error shows both fingerprints, and what to do.
func (p *PinChanged) Error() string {
	want := make([]string, len(p.Want))
	for i, w := range p.Want {
		want[i] = Fingerprint(w)
	}
	return fmt.Sprintf("%s shows another certificate than the pinned one: %s (%s, valid until %s; on the host %s), not %s; nothing was sent: somebody else may answer in its place, so compare the fingerprint on the host itself before the new one is confirmed",
		p.Host, Fingerprint(p.Got), p.Subject, p.NotAfter.UTC().Format(time.DateOnly), p.Windows, strings.Join(want, " or "))
}

// Is makes it an ErrTrust.
func (p *PinChanged) Is(target error) bool { return isTrust(target) }

// Untrusted is a host whose certificate nothing vouches for. It is an ErrTrust;
// nothing but the TLS handshake was sent.
type Untrusted struct {
	Host      string
	Got       Pin // zero when no certificate was shown that can be read
	Subject   string
	Issuer    string
	NotBefore time.Time
	NotAfter  time.Time
	Windows   string // how Windows shows it: SHA-1 and serial number, to compare by
	// Reason says what is wrong with it, and what to do.
	Reason string
	Err    error // of crypto/x509, or nil
}

// Error says what is wrong, and with which certificate.
func (u *Untrusted) Error() string {
	var which string
	if u.Got != (Pin{}) {
		which = fmt.Sprintf(" (%s, SHA-256 %s; on the host %s)", u.Subject, Fingerprint(u.Got), u.Windows)
	}
	return fmt.Sprintf("the certificate of %s is not trusted: %s%s; nothing was sent", u.Host, u.Reason, which)
}

// Is makes it an ErrTrust.
func (u *Untrusted) Is(target error) bool { return isTrust(target) }

// Unwrap gives crypto/x509's error.
func (u *Untrusted) Unwrap() error { return u.Err }

func isTrust(target error) bool { return errors.Is(ErrTrust, target) }
