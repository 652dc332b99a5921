package jobs

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// outsideProfile is our own rule: the host is not contacted.
type outsideProfile struct{ reason string }

// Error says which rule.
func (o *outsideProfile) Error() string { return o.reason }

// account is an opened credential.
type account struct{ name, password string }

// way is a connection to a host and the password that it uses.
type way struct {
	conn     *winrm.Conn
	password string
	profile  store.Profile
}

// refusal makes an outcome of what kept us from contacting a host.
func (e *Engine) refusal(err error) *runbook.Outcome {
	var rule *outsideProfile
	var refused *winrm.Refused
	if errors.As(err, &rule) || errors.As(err, &refused) {
		return &runbook.Outcome{
			Kind: runbook.Failed, Message: err.Error(),
			Remedy: "Correct the server's address or have an admin widen the profile, then run again.",
		}
	}
	return &runbook.Outcome{Kind: runbook.Again, After: errorPause, Message: err.Error()}
}

// account opens the credential of the profile for the purpose.
func (e *Engine) account(ctx context.Context, profile store.Profile, purpose string) (account, error) {
	c, err := e.store.CredentialFor(ctx, profile.ID, purpose)
	if err != nil {
		return account{}, fmt.Errorf("profile %s: %w", profile.Name, err)
	}
	plain, err := e.keys.Open(c.Sealed, c.KeyID, c.ProfileID, purpose)
	if err != nil {
		return account{}, fmt.Errorf("credential %s of profile %s: %w", purpose, profile.Name, err)
	}
	return account{name: c.Account, password: string(plain)}, nil
}

// way returns the connection to a host by its profile, kept between ticks. The
// profile's ranges are checked before anything is sent: by address where it is
// one, else by name and by every address that the name has; the address that
// was checked is the one that is dialled.
func (e *Engine) way(ctx context.Context, host store.HostAddress, fqdn, profile string) (way, error) {
	p, err := e.store.ProfileByName(ctx, profile)
	if err != nil {
		return way{}, err
	}
	dial, err := inside(ctx, p, host.Address, fqdn, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return way{}, err
	}
	user, err := e.account(ctx, p, store.PurposeWinRM)
	if err != nil {
		return way{}, err
	}
	port := host.Port
	if port == 0 {
		port = p.Port()
	}
	cfg := winrm.Config{Address: dial, Port: port, Account: winrm.Basic(user.name, user.password), AllowPlain: p.PlainBasic}
	if p.HTTPS {
		cfg.TLS = &winrm.TLS{ServerName: serverName(host.Address, fqdn)}
		if p.CAPEM != "" {
			cfg.TLS.CAs = x509.NewCertPool()
			if !cfg.TLS.CAs.AppendCertsFromPEM([]byte(p.CAPEM)) {
				return way{}, fmt.Errorf("profile %s: its authorities are no PEM certificates", p.Name)
			}
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %t %q %q %q %q", dial, port, p.HTTPS, serverName(host.Address, fqdn), p.CAPEM, user.name, user.password))
	conn, err := e.conns.of(host.ID, hex.EncodeToString(sum[:]), func() (*winrm.Conn, error) { return winrm.New(cfg) })
	if err != nil {
		return way{}, err
	}
	return way{conn: conn, password: user.password, profile: p}, nil
}

// serverName is what the host's certificate must carry: its name, not an
// address that happens to lead there.
func serverName(address, fqdn string) string {
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil && fqdn != "" {
		return fqdn
	}
	return address
}

// lookup finds the addresses of a name, as net.Resolver does.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// inside checks that the profile may be used for the host and returns the
// address to dial: for a name, one that was checked itself, so that another
// answer of the name service a moment later changes nothing.
func inside(ctx context.Context, p store.Profile, address, fqdn string, find lookup) (string, error) {
	if err := p.Allows(address, fqdn); err != nil {
		return "", &outsideProfile{err.Error()}
	}
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return ip.Unmap().String(), nil
	}
	found, err := find(ctx, "ip", address)
	if err != nil {
		return "", fmt.Errorf("look up %s: %w", address, err)
	}
	for _, ip := range found {
		if !p.AllowsResolved(ip.Unmap()) {
			return "", &outsideProfile{fmt.Sprintf("%s is %s, outside the address ranges of profile %s: it is not contacted", address, ip.Unmap(), p.Name)}
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("look up %s: no address", address)
	}
	return found[0].Unmap().String(), nil
}
