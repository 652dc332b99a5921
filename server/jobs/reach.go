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
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// outsideProfile is our own rule: the host is not contacted.
type outsideProfile struct{ reason string }

// Error says which rule.
func (o *outsideProfile) Error() string { return o.reason }

// account is an opened credential.
type account struct{ name, password string }

// way is a connection to a host and the password that it uses. Its user says
// done when nothing is asked for any more.
type way struct {
	conn     *winrm.Conn
	password string
	profile  store.Profile

	engine *Engine
	host   store.HostAddress
	name   string // by which the account knows the host
	access *access
	shown  *shown // nil = its certificate is checked against authorities, or there is none
	trial  *trial // nil = the secret is known to be right
}

// refusal makes an outcome of what kept us from contacting a host.
func (e *Engine) refusal(err error, state rollout.State) *runbook.Outcome {
	var bar *barred
	if errors.As(err, &bar) {
		return bar.out(state)
	}
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
// was checked is the one that is dialled. So is what stands against the
// credential, whichever coordinator met it.
func (e *Engine) way(ctx context.Context, host store.HostAddress, fqdn, profile string) (*way, error) {
	p, err := e.store.ProfileByName(ctx, profile)
	if err != nil {
		return nil, err
	}
	all, err := inside(ctx, p, host.Address, fqdn, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return nil, err
	}
	cred, err := e.store.CredentialFor(ctx, p.ID, store.PurposeWinRM)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	against, err := e.store.StandingAt(ctx, cred, host.ID)
	if err != nil {
		return nil, err
	}
	if r, ok := against.Against(host.ID); ok {
		return nil, refusedBy(r, p.Name, host.Name)
	}
	a, err := e.access(ctx, p, cred)
	if err != nil {
		return nil, err
	}
	w := &way{engine: e, profile: p, host: host, name: serverName(host.Address, fqdn), access: a, password: a.secret}
	dial, alive := e.dial(ctx, host, p, all)
	if err := w.connect(ctx, dial); err != nil {
		return nil, err
	}
	_, took := against.Taken[host.ID]
	if err := w.try(ctx, took, alive); err != nil {
		return nil, err
	}
	return w, nil
}

// connect takes the connection that is kept for the way, or makes one.
func (w *way) connect(ctx context.Context, dial string) error {
	p, port := w.profile, w.host.Port
	if port == 0 {
		port = p.Port()
	}
	w.access.is(w.name, w.host.ID)
	cfg := winrm.Config{Address: dial, Port: port, Host: w.name, Account: w.access.account, AllowPlain: p.PlainBasic}
	var err error
	if cfg.TLS, w.shown, err = trusted(ctx, w.engine.store, p, w.host, w.name); err != nil {
		return err
	}
	var pins []winrm.Pin
	if cfg.TLS != nil {
		pins = cfg.TLS.Pins
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %t %t %q %q %q %x %t %q", dial, port, p.HTTPS, p.TLS10, w.name, p.CAPEM, p.Trust, pins, p.PlainBasic, w.access.made))
	conn, kept, err := w.engine.conns.of(w.host.ID, hex.EncodeToString(sum[:]), dial, w.access, w.shown, func(s *shown) (*winrm.Conn, error) {
		if s != nil {
			cfg.TLS.Seen = s.see
		}
		return winrm.New(cfg)
	})
	if err != nil {
		return err
	}
	w.conn, w.shown = conn, kept
	return nil
}

// withdraw ends the question about another certificate: the host has just shown
// one that it may show.
func (w *way) withdraw(ctx context.Context, pin winrm.Pin) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteLimit)
	defer cancel()
	if err := w.engine.store.WithdrawOffers(ctx, w.host.ID, hex.EncodeToString(pin[:])); err != nil {
		w.engine.log.Warn("not kept that a host shows its certificate again", "host", w.host.Name, "err", err)
	}
}

// barred is what kept the use of the way from the host, found while it was used:
// a certificate that nobody confirmed, which is offered now, or a refusal.
func (w *way) barred(ctx context.Context) (*barred, error) {
	if w.shown != nil {
		if pin, leaf := w.shown.wrong(); leaf != nil {
			return w.offer(ctx, pin, leaf)
		}
	}
	var refused *winrm.CredentialRefused
	if err := w.access.account.May(w.name); errors.As(err, &refused) {
		r := store.Refusal{Account: w.access.cred.Account, At: refused.At, Reason: secrets{w.password}.redact(refused.Reason)}
		if refused.Host != "" {
			r.Host = w.host.Name
		}
		return refusedBy(r, w.profile.Name, w.host.Name), nil
	}
	return nil, nil
}

// offer puts the certificate before a person.
func (w *way) offer(ctx context.Context, pin winrm.Pin, leaf *x509.Certificate) (*barred, error) {
	p := store.Pin{
		HostID: w.host.ID, SHA256: hex.EncodeToString(pin[:]), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
	}
	if _, err := w.engine.store.OfferPin(ctx, p); err != nil {
		return nil, err
	}
	if err := w.engine.store.KeepPinForWindows(ctx, w.host.ID, p.SHA256, winrm.Thumbprint(leaf), winrm.Serial(leaf)); err != nil {
		return nil, err
	}
	all, err := w.engine.store.PinsOf(ctx, w.host.ID)
	if err != nil {
		return nil, err
	}
	for _, kept := range all {
		if kept.SHA256 == p.SHA256 {
			p = kept
		}
	}
	if p.State == store.PinConfirmed {
		return nil, nil // just now: the next use finds it
	}
	if p.Known, err = w.engine.store.KnownBy(ctx, w.host.ID); err != nil {
		return nil, err
	}
	return untrusted(p, w.profile, w.host.Name), nil
}

// serverName is what the host's certificate must carry: its name, not an
// address that happens to lead there.
func serverName(address, fqdn string) string {
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil && fqdn != "" {
		return fqdn
	}
	return address
}
