package twin

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Ways to log on to WinRM, as Access names them.
const (
	AuthBasic       = "basic"       // local accounts only
	AuthNTLM        = "ntlm"        // Negotiate with NTLM inside
	AuthKerberos    = "kerberos"    // Negotiate with Kerberos inside, by Options.Keytab
	AuthCertificate = "certificate" // the caller's certificate; https and WinRM 2.0 only
)

// Certificates that a host can show.
const (
	CertSigned     = "ca"          // by the fleet's CA, for its names and its address
	CertSelfSigned = "self-signed" // by itself
	CertExpired    = "expired"     // by the CA, ended yesterday
	CertWrongName  = "wrong-name"  // by the CA, for another machine
	CertSHA1       = "sha1"        // by the CA with SHA-1, as CAs did until about 2011
)

// Access says how a host's WinRM is reached: its listener, and what it asks of
// callers.
type Access struct {
	HTTPS bool
	// Auth are the ways to log on that are offered; empty is Basic.
	Auth []string
	// Plain is AllowUnencrypted: over http also Basic, and messages that are not
	// sealed inside a login. False is the default of Windows.
	Plain bool
	// Certificate is one of the Cert words; empty is CertSigned.
	Certificate string
	// OldTLS is TLS 1.0 with the RSA suites of the host's Windows, and nothing
	// else, as Schannel of 2003 and 2008 has it (winrm.md 2.9).
	OldTLS bool
	// Binding demands channel binding tokens of NTLM and Kerberos over https
	// (CbtHardeningLevel Strict); 2003 knows none.
	Binding bool
	// Forgets ends a login when an empty request without Authorization comes,
	// which some clients send before each message.
	Forgets bool
}

// HostAccess is the access of the hosts whose names fit a pattern.
type HostAccess struct {
	Hosts string // a name, or a pattern of path.Match such as BR-*; without regard to case
	Access
}

// accessWords are the words of ParseAccess and what they mean.
var accessWords = []struct {
	word string
	set  func(*Access)
}{
	{"http", func(a *Access) { a.HTTPS = false }},
	{"https", func(a *Access) { a.HTTPS = true }},
	{AuthBasic, func(a *Access) { a.Auth = append(a.Auth, AuthBasic) }},
	{AuthNTLM, func(a *Access) { a.Auth = append(a.Auth, AuthNTLM) }},
	{AuthKerberos, func(a *Access) { a.Auth = append(a.Auth, AuthKerberos) }},
	{AuthCertificate, func(a *Access) { a.Auth = append(a.Auth, AuthCertificate) }},
	{"plain", func(a *Access) { a.Plain = true }},
	{"tls1.0", func(a *Access) { a.OldTLS = true }},
	{CertSigned, func(a *Access) { a.Certificate = CertSigned }},
	{CertSelfSigned, func(a *Access) { a.Certificate = CertSelfSigned }},
	{CertExpired, func(a *Access) { a.Certificate = CertExpired }},
	{CertWrongName, func(a *Access) { a.Certificate = CertWrongName }},
	{CertSHA1, func(a *Access) { a.Certificate = CertSHA1 }},
	{"binding", func(a *Access) { a.Binding = true }},
	{"forgets", func(a *Access) { a.Forgets = true }},
}

// AccessWords lists the words that ParseAccess knows.
func AccessWords() []string {
	words := make([]string, len(accessWords))
	for i, w := range accessWords {
		words[i] = w.word
	}
	return words
}

// ParseAccess reads HOSTS=WORDS, such as "BR-*=https,ntlm,basic,tls1.0".
func ParseAccess(text string) (HostAccess, error) {
	hosts, words, ok := strings.Cut(text, "=")
	if hosts = strings.TrimSpace(hosts); !ok || hosts == "" {
		return HostAccess{}, fmt.Errorf("access %q: HOSTS=WORDS is wanted, such as BR-*=https,ntlm", text)
	}
	a := HostAccess{Hosts: hosts}
	for word := range strings.SplitSeq(words, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		known := false
		for _, w := range accessWords {
			if w.word == word {
				w.set(&a.Access)
				known = true
			}
		}
		if !known {
			return HostAccess{}, fmt.Errorf("access %q: unknown word %q%s", text, word, hint(word, AccessWords()))
		}
	}
	if err := a.check(); err != nil {
		return HostAccess{}, fmt.Errorf("access %q: %w", text, err)
	}
	return a, nil
}

// check reports what no host can be.
func (a HostAccess) check() error {
	if _, err := path.Match(strings.ToUpper(a.Hosts), ""); err != nil {
		return fmt.Errorf("hosts %q: %w", a.Hosts, err)
	}
	for _, way := range a.Auth {
		if !slices.Contains([]string{AuthBasic, AuthNTLM, AuthKerberos, AuthCertificate}, way) {
			return fmt.Errorf("unknown authentication %q", way)
		}
	}
	if !a.HTTPS && (a.OldTLS || a.Certificate != "" || a.Binding || slices.Contains(a.Auth, AuthCertificate)) {
		return errors.New("certificates, TLS versions and channel binding need https")
	}
	return nil
}

// Fits reports whether a host's name is meant.
func (a HostAccess) Fits(name string) bool {
	ok, err := path.Match(strings.ToUpper(a.Hosts), strings.ToUpper(name))
	return err == nil && ok
}

// accessOf is how a host is reached: as the last entry that fits it says, else
// with Basic over the fleet's scheme.
func accessOf(o Options, name string) Access {
	access := Access{HTTPS: o.TLSDir != "", Plain: true}
	for _, a := range o.Access {
		if a.Fits(name) {
			access = a.Access
		}
	}
	if len(access.Auth) == 0 {
		access.Auth = []string{AuthBasic}
	}
	return access
}

// offers reports whether a way to log on is offered. Basic over http is, only
// when messages may be plain.
func (a Access) offers(way string) bool {
	return slices.Contains(a.Auth, way) && (way != AuthBasic || a.HTTPS || a.Plain)
}

// allows reports what a host of that kind cannot be.
func (p platform) allows(a Access, o Options) error {
	switch {
	case a.offers(AuthCertificate) && p.winrm == "1.1":
		return errors.New("WinRM 1.1 knows no logon with a certificate")
	case a.offers(AuthCertificate) && len(o.ClientCertificate) == 0:
		return errors.New("a logon with a certificate needs the certificate that is mapped to the account")
	case a.offers(AuthKerberos) && len(o.Keytab) == 0:
		return errors.New("logons by Kerberos need a keytab with the keys of HTTP/ and the host's name")
	case a.Binding && p.before6():
		return errors.New("channel binding is not known to Windows Server 2003")
	case slices.Contains(a.Auth, AuthBasic) && !a.offers(AuthBasic) && len(a.Auth) == 1:
		return errors.New("over http Basic needs the word plain: Windows refuses it unless AllowUnencrypted is true")
	}
	for _, each := range o.Access {
		if err := each.check(); err != nil {
			return err
		}
	}
	return nil
}
