package jobs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// TryCredential logs on to one host with a secret that is not kept yet, once: by
// its profile, within its ranges, at a certificate that is trusted already. No
// command runs there. The error says what the host, its domain or our own rules
// refused; refused is true when it was the secret.
func TryCredential(ctx context.Context, s *store.Store, host store.ProbeTarget, c store.SealedCredential, secret []byte) (refused bool, err error) {
	p, err := s.ProfileByID(ctx, c.ProfileID)
	if err != nil {
		return false, err
	}
	all, err := inside(ctx, p, host.Host.Address, host.FQDN, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return false, err
	}
	login, err := Login(p, c, secret, "of profile "+p.Name)
	if err != nil {
		return false, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	account, err := winrm.NewAccount(login)
	if err != nil {
		return false, err
	}
	cfg := winrm.Config{Address: all[0], Port: host.Host.Port, Host: serverName(host.Host.Address, host.FQDN), Account: account, AllowPlain: p.PlainBasic}
	if cfg.Port == 0 {
		cfg.Port = p.Port()
	}
	var seen *shown
	if cfg.TLS, seen, err = trusted(ctx, s, p, host.Host, cfg.Host); err != nil {
		return false, err
	}
	if seen != nil {
		cfg.TLS.Seen = seen.see
	}
	conn, err := winrm.New(cfg)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if _, err := conn.Identify(ctx); err != nil {
		var denied *winrm.CredentialRefused
		return errors.As(err, &denied), fmt.Errorf("log on to %s: %w", host.Host.Name, errors.New(secrets{string(secret)}.redact(err.Error())))
	}
	return false, nil
}

// trusted says how the host's certificate is verified: nil for http. shown is
// not nil where pins decide.
func trusted(ctx context.Context, s *store.Store, p store.Profile, host store.HostAddress, name string) (*winrm.TLS, *shown, error) {
	if !p.HTTPS {
		return nil, nil, nil
	}
	way := &winrm.TLS{ServerName: name, Old: p.TLS10, Trusting: trusting(p, host.Name)}
	if p.CAPEM != "" {
		way.CAs = x509.NewCertPool()
		if !way.CAs.AppendCertsFromPEM([]byte(p.CAPEM)) {
			return nil, nil, fmt.Errorf("profile %s: its authorities are no PEM certificates", p.Name)
		}
	}
	if p.Trust == store.TrustCA {
		return way, nil, nil
	}
	pins, err := s.PinsOf(ctx, host.ID)
	if err != nil {
		return nil, nil, err
	}
	allowed := slices.Clone(p.Pins)
	for _, pin := range pins {
		if pin.State == store.PinConfirmed {
			allowed = append(allowed, pin.SHA256)
		}
	}
	way.OnlyPins = true
	seen := &shown{allowed: map[winrm.Pin]bool{}}
	for _, text := range allowed {
		pin, err := winrm.ParsePin(text)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate of %s: %w", host.Name, err)
		}
		way.Pins = append(way.Pins, pin)
		seen.allowed[pin] = true
	}
	return way, seen, nil
}

// trusting is what an admin does who compared a host's certificate.
func trusting(p store.Profile, host string) string {
	if p.Trust == store.TrustCA {
		return fmt.Sprintf("an admin has profile %s trust by pin or first use (wavekeeper profile set), and adds it: wavekeeper pin add %s %%s --reason TEXT", p.Name, host)
	}
	return "an admin trusts it on the server's page"
}
