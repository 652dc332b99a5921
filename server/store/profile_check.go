package store

import (
	"encoding/hex"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"wavekeeper/server/rollout"
)

const (
	mostKDCs     = 16
	longestKrb5  = 64 << 10 // of a krb5.conf that is kept with a profile
	mostPinsHeld = 500
)

var (
	realmName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$`)
	serviceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,31}$`)
)

func (p *Profile) checkWay() error {
	if p.Auth == "" {
		p.Auth = AuthBasic
	}
	switch p.Auth {
	case AuthBasic, AuthNTLM, AuthKerberos, AuthCertificate:
	default:
		return rollout.Invalid("There is no authentication %q; there are basic, ntlm, kerberos and certificate.", p.Auth)
	}
	switch {
	case p.HTTPS && p.PlainBasic:
		return rollout.Invalid("A profile uses https or plain basic, not both.")
	case p.PlainBasic && p.Auth != AuthBasic:
		return rollout.Invalid("Plain basic is for basic authentication: %s over http is sealed, message by message.", p.Auth)
	case !p.HTTPS && !p.PlainBasic && p.Auth == AuthBasic:
		return rollout.Invalid("Basic authentication without https sends the password in the clear: use https, or say so by name (plain basic).")
	case !p.HTTPS && p.Auth == AuthCertificate:
		return rollout.Invalid("A client certificate is shown in the TLS handshake: use https.")
	}
	return nil
}

func (p *Profile) checkTrust() error {
	if p.Trust == "" {
		p.Trust = TrustCA
	}
	switch p.Trust {
	case TrustCA, TrustPin, TrustFirstUse:
	default:
		return rollout.Invalid("There is no trust %q; there are ca, pin and first-use.", p.Trust)
	}
	var pins []string
	for _, text := range p.Pins {
		pin, err := Fingerprint(text)
		if err != nil {
			return err
		}
		pins = append(pins, pin)
	}
	p.Pins = pins
	switch {
	case !p.HTTPS && (p.TLS10 || p.Trust != TrustCA || len(pins) > 0):
		return rollout.Invalid("There is no certificate without https: TLS 1.0, trust by pin or first use, and pins are for https.")
	case len(pins) > 0 && p.Trust == TrustCA:
		return rollout.Invalid("Pins decide alone: with them, trust is pin or first-use, not ca.")
	case len(pins) > mostPinsHeld:
		return rollout.Invalid("A profile holds at most %d pins that all of its hosts may show; pins of single hosts are kept with the host.", mostPinsHeld)
	}
	return nil
}

// Fingerprint reads the SHA-256 of a certificate as people have it: 64
// hexadecimal digits in either case, with or without colons or blanks, and
// returns it in lower case without them.
func Fingerprint(text string) (string, error) {
	plain := strings.ToLower(strings.NewReplacer(":", "", " ", "", "\t", "").Replace(strings.TrimSpace(text)))
	plain = strings.TrimPrefix(plain, "sha256=")
	raw, err := hex.DecodeString(plain)
	if err != nil || len(raw) != 32 {
		return "", rollout.Invalid("%q is no SHA-256 of a certificate: that is 64 hexadecimal digits. The 40 that Windows shows as thumbprint are SHA-1, which is not taken.", text)
	}
	return plain, nil
}

func (p *Profile) checkKerberos() error {
	p.Realm, p.SPNService = strings.TrimSpace(p.Realm), strings.TrimSpace(p.SPNService)
	if p.SPNService == "" {
		p.SPNService = "HTTP"
	}
	if !serviceName.MatchString(p.SPNService) {
		return rollout.Invalid("%q is no service of a principal name; HTTP and WSMAN are.", p.SPNService)
	}
	if p.Auth != AuthKerberos {
		if p.Realm != "" || len(p.KDCs) > 0 || p.Krb5Conf != "" {
			return rollout.Invalid("A realm, KDCs and a krb5.conf are for Kerberos; this profile uses %s.", p.Auth)
		}
		return nil
	}
	if p.Realm != "" && !realmName.MatchString(p.Realm) {
		return rollout.Invalid("%q is no Kerberos realm; CONTOSO.COM would be one (the Active Directory domain in capitals).", p.Realm)
	}
	if len(p.KDCs) > mostKDCs {
		return rollout.Invalid("At most %d KDCs are asked.", mostKDCs)
	}
	if len(p.Krb5Conf) > longestKrb5 {
		return rollout.Invalid("The krb5.conf is longer than %d KB.", longestKrb5>>10)
	}
	var kdcs []string
	for _, text := range p.KDCs {
		kdc := strings.TrimSpace(text)
		host, port, err := net.SplitHostPort(kdc)
		if err != nil {
			host, port = strings.Trim(kdc, "[]"), ""
		}
		if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
			return rollout.Invalid("%q is no KDC: its port is not between 1 and 65535.", text)
		}
		if host == "" || strings.ContainsAny(host, " /\\@,") {
			return rollout.Invalid("%q is no KDC; dc1.contoso.com or dc1.contoso.com:88 would be one.", text)
		}
		kdcs = append(kdcs, kdc)
	}
	p.KDCs = kdcs
	return nil
}

func (p *Profile) checkScope() error {
	var ranges []string
	for _, r := range p.Ranges {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(r))
		if err != nil {
			ip, err := netip.ParseAddr(strings.TrimSpace(r))
			if err != nil {
				return rollout.Invalid("%q is no address range; 10.1.0.0/16 would be one.", r)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		ranges = append(ranges, prefix.Masked().String())
	}
	p.Ranges = ranges
	var suffixes []string
	for _, suffix := range p.Suffixes {
		clean := strings.ToLower(strings.Trim(strings.TrimSpace(suffix), "."))
		if clean == "" || strings.ContainsAny(clean, " */\\") {
			return rollout.Invalid("%q is no DNS suffix; contoso.com would be one.", suffix)
		}
		suffixes = append(suffixes, clean)
	}
	p.Suffixes = suffixes
	return nil
}
