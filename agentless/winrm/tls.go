package winrm

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// oldSuites are what Schannel of Windows Server 2003 and 2008 can choose from,
// the better ones first, after those of today: 2003 has RSA key exchange with RC4
// and 3DES, AES by KB948963 only; 2008 has AES-CBC and ECDHE. Go offers them in
// an order of its own.
var oldSuites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	tls.TLS_RSA_WITH_RC4_128_SHA,
}

// tlsConfig is crypto/tls's form of what a host's profile says; nil for nil.
func tlsConfig(cfg Config) *tls.Config {
	t := cfg.TLS
	if t == nil {
		return nil
	}
	name := t.ServerName
	if name == "" {
		name = cfg.Host
	}
	out := &tls.Config{ServerName: name, RootCAs: t.CAs, MinVersion: tls.VersionTLS12}
	if t.Old {
		// A hello of today, with TLS 1.3 and keys of over a kilobyte, is more than
		// hosts of that time were ever shown; some break off at what they do not know.
		out.MinVersion, out.MaxVersion, out.CipherSuites = tls.VersionTLS10, tls.VersionTLS12, oldSuites
		out.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.CurveP384}
	}
	if cfg.Account != nil && cfg.Account.cfg.Certificate != nil && cfg.Account.cfg.Auth == AuthCertificate {
		out.Certificates = []tls.Certificate{*cfg.Account.cfg.Certificate}
		// http.sys asks for a certificate in a second handshake, unless it is told otherwise.
		out.Renegotiation = tls.RenegotiateOnceAsClient
	}
	// The certificate is verified below, not by crypto/tls: by pins, or by
	// crypto/x509 as crypto/tls would.
	out.InsecureSkipVerify = true
	out.VerifyConnection = func(s tls.ConnectionState) error { return t.verify(cfg.Host, name, s.PeerCertificates) }
	return out
}

// verify decides on the certificates that a host showed, its own first.
func (t *TLS) verify(host, name string, shown []*x509.Certificate) error {
	if len(shown) == 0 {
		return &Untrusted{Host: host, Reason: "it showed none"}
	}
	leaf := shown[0]
	got := Pin(sha256.Sum256(leaf.Raw))
	if t.Seen != nil {
		t.Seen(got, leaf)
	}
	if len(t.Pins) > 0 {
		if slices.Contains(t.Pins, got) {
			return nil
		}
		return &PinChanged{Host: host, Want: t.Pins, Got: got, Subject: subject(leaf), NotAfter: leaf.NotAfter, Windows: asWindows(leaf)}
	}
	doubt := &Untrusted{
		Host: host, Got: got, Subject: subject(leaf), Issuer: brief(leaf.Issuer.String()),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Windows: asWindows(leaf),
	}
	if t.OnlyPins {
		doubt.Reason = "nobody confirmed it yet"
		return doubt
	}
	others := x509.NewCertPool()
	for _, c := range shown[1:] {
		others.AddCert(c)
	}
	// The name comes last: one that is wrong matters only when the rest is right.
	_, err := leaf.Verify(x509.VerifyOptions{Roots: t.CAs, Intermediates: others})
	if err == nil {
		err = leaf.VerifyHostname(name)
	}
	if err == nil {
		return nil
	}
	doubt.Err, doubt.Reason = err, doubtful(leaf, name, err, time.Now())
	return doubt
}

// doubtful says what is wrong with a certificate, and what to do.
func doubtful(leaf *x509.Certificate, name string, err error, now time.Time) string {
	var (
		invalid x509.CertificateInvalidError
		other   x509.HostnameError
		unknown x509.UnknownAuthorityError
	)
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	weak := weakSignature(leaf.SignatureAlgorithm)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(leaf.NotBefore):
		return fmt.Sprintf("it is valid from %s only: check the clocks of the host and of this machine", day(leaf.NotBefore))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.After(leaf.NotAfter):
		return fmt.Sprintf("it ended on %s: give the host a new one, or pin this one", day(leaf.NotAfter))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "one of those that signed it ended: renew that, or pin this one"
	case errors.As(err, &other):
		return fmt.Sprintf("it is for %s, not for %s: use that name, give the host a certificate for this one, or pin it", namesOf(leaf), name)
	case errors.As(err, &unknown) && leaf.Issuer.String() == leaf.Subject.String():
		return "it is signed by itself: pin it, or give the host one of a known authority"
	case weak && (errors.As(err, &unknown) || errors.As(err, new(x509.InsecureAlgorithmError))):
		return fmt.Sprintf("it is signed with %s, which nobody may rely on any more: give the host one that is signed with SHA-256, or pin this one", leaf.SignatureAlgorithm)
	case errors.As(err, &unknown):
		return fmt.Sprintf("its authority %q is not known: give the profile that authority's certificate, or pin this one", brief(leaf.Issuer.String()))
	default:
		return err.Error()
	}
}

func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	default:
		return false
	}
}

// subject is a certificate's subject, for people.
func subject(c *x509.Certificate) string { return brief(c.Subject.String()) }

// brief cuts what a host wrote, and takes out what a terminal would obey.
func brief(s string) string {
	if len(s) > 120 {
		s = s[:120] + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// namesOf are the names that a certificate is for. Those in the subject only do
// not count any more, but tell what was meant.
func namesOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return brief(c.Subject.CommonName) + " (in its subject only, which does not count: it has no alternative name)"
	}
	return brief(strings.Join(names, ", "))
}

// unsecured says in words why no TLS came about.
func (t *transport) unsecured(ctx context.Context, err error) error {
	var (
		changed *PinChanged
		doubt   *Untrusted
		record  tls.RecordHeaderError
	)
	words := err.Error()
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	switch {
	case errors.As(err, &changed):
		return changed
	case errors.As(err, &doubt):
		return doubt
	case over(ctx) != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, over(ctx))
	case errors.As(err, &record):
		return fmt.Errorf("%w: what listens on %s speaks no TLS: it is a port for http (%s): %w", ErrUnreachable, t.address, usualPorts, err)
	case !t.old && (alerted(err, alertVersion) || strings.Contains(words, "server selected unsupported protocol version")):
		return fmt.Errorf("%w: %s speaks TLS 1.0 or 1.1 only, as Windows Server 2003 and 2008 do: allow it in the profile (--tls10): %w", ErrUnreachable, t.address, err)
	case !t.old && (alerted(err, alertHandshake) || alerted(err, alertSecurity) || ended):
		return fmt.Errorf("%w: %s broke the TLS handshake off: so do hosts that speak TLS 1.0 only (Windows Server 2003 and 2008), which the profile can allow (--tls10), and hosts whose listener has lost its certificate: %w", ErrUnreachable, t.address, err)
	case ended:
		return fmt.Errorf("%w: %s broke the TLS handshake off: its listener has no certificate any more, or it shares no cipher suite with us: %w", ErrUnreachable, t.address, err)
	case strings.Contains(words, "failed to parse certificate"):
		return &Untrusted{Host: t.host, Reason: "it is not as certificates have to be: give the host another one", Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errDeadline):
		return fmt.Errorf("%w: %s took the connection and gave no answer to TLS within %s: %w", ErrUnreachable, t.address, min(dialLimit, t.limit), err)
	default:
		return fmt.Errorf("%w: TLS with %s: %w", ErrUnreachable, t.address, err)
	}
}

// Alerts of TLS (RFC 8446, 6.2).
const (
	alertHandshake tls.AlertError = 40
	alertVersion   tls.AlertError = 70
	alertSecurity  tls.AlertError = 71
)

// alerted reports whether the host ended the handshake with an alert. crypto/tls
// keeps the type of it to itself.
func alerted(err error, alert tls.AlertError) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == alert.Error()
}
