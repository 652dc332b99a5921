package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/jobs"
	"wavekeeper/server/store"
)

// AccessFlags say how a host proves who it is, and how we prove who we are.
type AccessFlags struct {
	Auth        string   `help:"Authentication: ${enum}. NTLM and Kerberos seal each message over http; certificate is for https." enum:"basic,ntlm,kerberos,certificate" default:"basic"`
	Realm       string   `help:"Kerberos realm, in capitals; that of --user or --krb5-conf when empty." placeholder:"REALM"`
	KDC         []string `name:"kdc" help:"Kerberos server; several with commas. Empty: by --krb5-conf, then by DNS." placeholder:"HOST[:PORT]"`
	Krb5Conf    string   `name:"krb5-conf" help:"File in the format of krb5.conf with the realm's servers." placeholder:"FILE" type:"path"`
	Keytab      string   `help:"Keytab with the account's keys, in place of a password." placeholder:"FILE" type:"path" xor:"secret"`
	CCache      string   `name:"ccache" help:"Ticket cache as kinit writes it, in place of a password." placeholder:"FILE" type:"path" xor:"secret"`
	Certificate string   `help:"PEM file with the client certificate and its key, for --auth certificate." placeholder:"FILE" type:"path" xor:"secret"`
	SPN         string   `name:"spn" help:"Service of the hosts' principal names (${default}); WSMAN where HTTP/HOST belongs to another account." default:"HTTP" placeholder:"SERVICE"`
	TLS10       bool     `name:"tls10" help:"Also TLS 1.0 and the cipher suites of Windows Server 2003 and 2008."`
	Trust       string   `help:"What a host's certificate is checked against: ${enum}. ca: --ca or the system's authorities; pin: --pin; first-use: nothing yet, so its SHA-256 is shown and nothing is sent." enum:"ca,pin,first-use" default:"ca"`
	Pin         []string `help:"SHA-256 of a certificate that is trusted, whatever its issuer, name and dates; several with commas. Means --trust pin." placeholder:"SHA256"`
}

// account makes the one account that all hosts of a command share: a password
// that one of them refuses does not go to the next. Nothing is sent.
func (f *AccessFlags) account(user, passwordFile string) (*winrm.Account, error) {
	if user == "" && f.Auth != string(winrm.AuthCertificate) {
		return nil, errors.New("--user: name the account, such as CONTOSO\\wavekeeper")
	}
	if err := f.check(passwordFile); err != nil {
		return nil, err
	}
	secret, kind, where, err := f.secret(passwordFile)
	if err != nil {
		return nil, err
	}
	p := store.Profile{Auth: f.Auth, Realm: f.Realm, KDCs: f.KDC, SPNService: f.SPN}
	if f.Krb5Conf != "" {
		text, err := os.ReadFile(f.Krb5Conf)
		if err != nil {
			return nil, fmt.Errorf("read --krb5-conf: %w", err)
		}
		p.Krb5Conf = string(text)
	}
	cfg, err := jobs.Login(p, store.SealedCredential{Account: user, Kind: kind}, secret, where)
	if err != nil {
		return nil, err
	}
	return winrm.NewAccount(cfg)
}

// secret reads what the account proves itself with, and names where it is from.
func (f *AccessFlags) secret(passwordFile string) (secret []byte, kind, where string, err error) {
	switch {
	case f.Keytab != "":
		secret, err = kerberos.ReadSecret(f.Keytab, kerberos.ErrKeytab)
		return secret, store.KindKeytab, f.Keytab, err
	case f.CCache != "":
		secret, err = kerberos.ReadSecret(f.CCache, kerberos.ErrCache)
		return secret, store.KindCCache, f.CCache, err
	case f.Certificate != "":
		if secret, err = os.ReadFile(f.Certificate); err != nil {
			err = fmt.Errorf("--certificate %s: a PEM file with certificate and key is needed: %w", f.Certificate, err)
		}
		return secret, store.KindCertificate, "--certificate " + f.Certificate, err
	case passwordFile != "":
		password, err := readPassword(passwordFile)
		return []byte(password), store.KindPassword, passwordFile, err
	}
	return nil, store.KindPassword, "", nil
}

// check refuses flags that do not go together.
func (f *AccessFlags) check(passwordFile string) error {
	kerberos, certificate := f.Auth == string(winrm.AuthKerberos), f.Auth == string(winrm.AuthCertificate)
	switch {
	case !kerberos && (f.Realm != "" || len(f.KDC) > 0 || f.Krb5Conf != "" || f.Keytab != "" || f.CCache != ""):
		return fmt.Errorf("--realm, --kdc, --krb5-conf, --keytab and --ccache are for --auth kerberos, not %s", f.Auth)
	case certificate && f.Certificate == "":
		return errors.New("--auth certificate: name the PEM file with --certificate")
	case !certificate && f.Certificate != "":
		return fmt.Errorf("--certificate is for --auth certificate, not %s", f.Auth)
	case passwordFile != "" && (f.Keytab != "" || f.CCache != "" || f.Certificate != ""):
		return errors.New("--password-file: a keytab, ticket cache or certificate stands in its place")
	case passwordFile == "" && f.Keytab == "" && f.CCache == "" && f.Certificate == "":
		return errors.New("--password-file: name the file that holds the account's password")
	case f.Trust == "pin" && len(f.Pin) == 0:
		return errors.New("--trust pin: name the certificate's SHA-256 with --pin")
	case f.Trust == "first-use" && len(f.Pin) > 0:
		return errors.New("--pin: with a pin there is no first use")
	}
	return nil
}

// tls says how hosts' certificates are verified; ca is the PEM file of --ca.
func (f *AccessFlags) tls(https bool, ca string) (*winrm.TLS, error) {
	if !https {
		if f.TLS10 || f.Trust != "ca" || len(f.Pin) > 0 || ca != "" || f.Certificate != "" {
			return nil, errors.New("--ca, --tls10, --trust, --pin and --certificate are for --https")
		}
		return nil, nil
	}
	way := &winrm.TLS{Old: f.TLS10, OnlyPins: f.Trust != "ca" || len(f.Pin) > 0}
	for _, text := range f.Pin {
		pin, err := winrm.ParsePin(text)
		if err != nil {
			return nil, fmt.Errorf("--pin %s: %w", text, err)
		}
		way.Pins = append(way.Pins, pin)
	}
	if ca == "" {
		return way, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("read --ca: %w", err)
	}
	way.CAs = x509.NewCertPool()
	if !way.CAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca %s: no PEM certificate in it", ca)
	}
	return way, nil
}
