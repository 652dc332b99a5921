package jobs

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strings"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// Login says how an account logs on to hosts as the profile has it; where names
// what the secret came from, for messages. Nothing is sent; what is wrong with a
// keytab, a ticket cache, a realm or a certificate is found here.
func Login(p store.Profile, c store.SealedCredential, secret []byte, where string) (winrm.AccountConfig, error) {
	cfg := winrm.AccountConfig{Auth: winrm.Auth(p.Auth), User: c.Account, Service: p.SPNService}
	switch {
	case p.Auth == store.AuthKerberos:
		realm := kerberos.Config{User: c.Account, Realm: p.Realm, KDCs: p.KDCs, Krb5Conf: p.Krb5Conf}
		switch c.Kind {
		case store.KindKeytab:
			realm.Keytab, realm.KeytabPath = secret, where
		case store.KindCCache:
			realm.Cache, realm.CachePath = secret, where
		default:
			realm.Password = string(secret)
		}
		client, err := kerberos.New(realm)
		if err != nil {
			return cfg, err
		}
		cfg.Kerberos = client
	case p.Auth == store.AuthCertificate:
		pair, err := tls.X509KeyPair(secret, secret)
		if err != nil {
			return cfg, fmt.Errorf("%s: a PEM file with certificate and key is needed: %w", where, err)
		}
		cfg.Certificate = &pair
	case c.Kind != store.KindPassword && c.Kind != "":
		return cfg, fmt.Errorf("%s takes a password, and there is a %s: set the credential anew", p.Auth, c.Kind)
	default:
		cfg.Password = string(secret)
	}
	return cfg, nil
}

// digest names an account of a domain with its secret, so that the same one is
// known in other profiles and for other purposes. It is made under the key that
// seals secrets: without that key nothing can be tried against it. Empty for
// accounts that each host has for itself. The directory's short name is taken for
// the first label of its long one, as it nearly always is: two accounts would have
// to have the same name and the same secret to be taken for one.
func digest(keys Opener, p store.Profile, c store.SealedCredential, secret []byte) string {
	user, domain := strings.ToLower(strings.TrimSpace(c.Account)), ""
	if d, u, ok := strings.Cut(user, `\`); ok {
		user, domain = u, d
	} else if u, d, ok := strings.Cut(user, "@"); ok {
		user, domain = u, d
	} else if c.Purpose == store.PurposeWinRM && p.Auth == store.AuthKerberos {
		domain = strings.ToLower(p.Realm)
	}
	if own := c.Purpose == store.PurposeWinRM && (p.Auth == store.AuthBasic || p.Auth == store.AuthCertificate); own || domain == "." {
		return ""
	}
	domain, _, _ = strings.Cut(domain, ".")
	mac := hmac.New(sha256.New, keys.Derive("wavekeeper account and secret/1"))
	fmt.Fprintf(mac, "%q %q %q", domain, user, secret)
	return hex.EncodeToString(mac.Sum(nil))
}
