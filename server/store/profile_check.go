package store

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/netip"
	"regexp"
	"slices"
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
	realmName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$`)
	kdcName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9.])?$`)
	// services are those for which hosts have names: Windows registers WSMAN for
	// WinRM, and HTTP falls to HOST (sPNMappings).
	services = []string{"HTTP", "WSMAN", "HOST"}
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
	if err := p.checkCA(); err != nil {
		return err
	}
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

// checkCA refuses what is no list of certificates: with none of them no host
// would be trusted.
func (p *Profile) checkCA() error {
	rest, n := []byte(p.CAPEM), 0
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY") {
			return rollout.Invalid("The file of the authorities holds a private key: give their certificates alone.")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return rollout.Invalid("Certificate %d of the authorities cannot be read: %v.", n+1, err)
		}
		n++
	}
	switch {
	case p.CAPEM != "" && n == 0:
		return rollout.Invalid("There is no PEM certificate in the file of the authorities; it begins with -----BEGIN CERTIFICATE-----.")
	case p.CAPEM != "" && !p.HTTPS:
		return rollout.Invalid("Authorities are for https: there is no certificate without.")
	}
	return nil
}

// Fingerprint reads the SHA-256 of a certificate as people have it: 64
// hexadecimal digits in either case, with or without colons, blanks or dashes, and
// returns it in lower case without them.
func Fingerprint(text string) (string, error) {
	plain := strings.ToLower(strings.NewReplacer(":", "", " ", "", "\t", "", "-", "").Replace(strings.TrimSpace(text)))
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
	if p.SPNService = strings.ToUpper(p.SPNService); !slices.Contains(services, p.SPNService) {
		return rollout.Invalid("%q is no service by which WinRM is known; there are %s.", p.SPNService, strings.Join(services, ", "))
	}
	if p.Auth != AuthKerberos {
		if p.SPNService != services[0] {
			return rollout.Invalid("The service of principal names is for Kerberos; this profile uses %s.", p.Auth)
		}
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
		if net.ParseIP(host) == nil && !kdcName.MatchString(host) {
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
