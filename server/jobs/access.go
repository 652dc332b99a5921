package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// noteLimit is how long it may take to keep what a host said to a credential.
const noteLimit = 10 * time.Second

// access is one version of one credential, as this process uses it: one for all
// hosts that it is for, so that Kerberos has one ticket cache and a refusal is
// known to all.
type access struct {
	engine  *Engine
	made    string // everything that it was made from, hashed
	cred    store.SealedCredential
	secret  string // to be hidden in what hosts say; "" when it is no text
	account *winrm.Account
	tickets *kerberos.Client // nil without Kerberos

	mu    sync.Mutex
	hosts map[string]int64 // by the names that the account knows them by
}

// accesses keeps the access of each credential between ticks.
type accesses struct {
	mu   sync.Mutex
	by   map[int64]*access // by the credential's id
	past []replaced        // of credentials that were set anew or removed
}

// replaced is an access that is used no more.
type replaced struct {
	access *access
	since  time.Time
}

// access returns how the profile's account logs on, kept as long as neither the
// credential nor the profile changes. What stood against this version before is
// known to it from the start.
func (e *Engine) access(ctx context.Context, p store.Profile, c store.SealedCredential) (*access, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %q %q %q %q %q", c.Version, c.Account, c.Kind, p.Auth, p.Realm, p.KDCs, p.Krb5Conf, p.SPNService))
	made := hex.EncodeToString(sum[:])
	if kept := e.accesses.kept(c.ID, made); kept != nil {
		return kept, nil
	}
	secret, err := e.keys.Open(c.Sealed, c.KeyID, c.ProfileID, c.Purpose)
	if err != nil {
		return nil, fmt.Errorf("credential %s of profile %s: %w", c.Purpose, p.Name, err)
	}
	cfg, err := Login(p, c, secret, "of profile "+p.Name)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	if c, err = e.digested(ctx, p, c, secret); err != nil {
		return nil, err
	}
	against, err := e.store.Standing(ctx, c)
	if err != nil {
		return nil, err
	}
	names, err := e.store.AccountNames(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	a := &access{engine: e, made: made, cred: c, tickets: cfg.Kerberos, hosts: map[string]int64{}}
	if c.Kind == store.KindPassword {
		a.secret = string(secret)
	}
	for host, n := range names {
		name := serverName(n.Address, n.FQDN)
		a.hosts[name] = host
		if _, took := against.Taken[host]; took {
			cfg.Accepted = append(cfg.Accepted, name)
		}
		for _, r := range against.Refused {
			if r.HostID == host {
				cfg.Refused = append(cfg.Refused, winrm.Refusal{Host: name, At: r.At, Reason: r.Reason})
			}
		}
	}
	for _, r := range against.Refused {
		if r.HostID == 0 && r.CredentialID == c.ID { // what stands against it elsewhere is looked up for each use
			cfg.Refused = append(cfg.Refused, winrm.Refusal{ForAll: r.ForAll, At: r.At, Reason: r.Reason})
		}
	}
	cfg.Tell, cfg.TellAccepted = a.tell, a.tellAccepted
	if a.account, err = winrm.NewAccount(cfg); err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	return e.accesses.keep(c.ID, a), nil
}

// digested is the credential with its digest, which the database keeps from now on.
func (e *Engine) digested(ctx context.Context, p store.Profile, c store.SealedCredential, secret []byte) (store.SealedCredential, error) {
	now := digest(e.keys, p, c, secret)
	if now == c.Digest {
		return c, nil
	}
	c.Digest = now
	return c, e.store.KeepDigest(ctx, c)
}

// kept is the access that is made already, or nil.
func (a *accesses) kept(credential int64, made string) *access {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kept := a.by[credential]; kept != nil && kept.made == made {
		return kept
	}
	return nil
}

// keep keeps an access in place of the one before. Of several that were made at
// the same time the first is everybody's: a refusal must be known to all.
func (a *accesses) keep(credential int64, one *access) *access {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.by[credential]
	switch {
	case before == nil:
	case before.made == one.made:
		one.forget()
		return before
	case before.cred.Version > one.cred.Version:
		return one // it was set anew while this one was made: nobody else gets it
	default:
		a.past = append(a.past, replaced{before, time.Now()})
	}
	a.by[credential] = one
	return one
}

// forget has no key or ticket kept in memory.
func (a *access) forget() {
	if a.tickets != nil {
		a.tickets.Destroy()
	}
}

// unanswered counts proofs in a row that were not answered.
func (a *access) unanswered() int {
	n := a.account.Unanswered()
	if a.tickets != nil {
		n += a.tickets.Unanswered()
	}
	return n
}

// is notes by which name the account knows the host.
func (a *access) is(name string, host int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts[name] = host
}

func (a *access) host(name string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosts[name]
}

// tell keeps a refusal for other coordinators and for the time after a restart.
// The request that met it may have been cancelled; the refusal counts all the same.
func (a *access) tell(r winrm.Refusal) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	var host int64
	if r.Host != "" {
		if host = a.host(r.Host); host == 0 {
			return // it left the inventory meanwhile
		}
	}
	reason := secrets{a.secret}.redact(r.Reason)
	note := func() error { return a.engine.store.NoteRefusal(ctx, a.cred, host, reason) }
	if r.ForAll {
		note = func() error { return a.engine.store.NoteRefusalForAll(ctx, a.cred, reason) }
	}
	if err := note(); err != nil {
		a.engine.log.Error("a refused credential is known to this process only", "account", a.cred.Account, "host", r.Host, "err", err)
		return
	}
	a.engine.log.Warn("credential refused", "account", a.cred.Account, "host", r.Host, "reason", reason)
}

// tellAccepted keeps that a host took the credential.
func (a *access) tellAccepted(name string, _ time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	host := a.host(name)
	if host == 0 {
		return
	}
	if err := a.engine.store.NoteTaken(ctx, a.cred, host); err != nil {
		a.engine.log.Warn("not kept that a host took a credential", "account", a.cred.Account, "host", name, "err", err)
	}
}

// pastLimit is how long an access that is used no more keeps its tickets, for
// calls that are under way and for the shells that are deleted behind them.
const pastLimit = time.Minute

// tidyAccesses lets go of what belongs to credentials that were set anew or removed.
func (e *Engine) tidyAccesses(ctx context.Context, now time.Time) error {
	all, err := e.store.Credentials(ctx)
	if err != nil {
		return err
	}
	version := map[int64]int{}
	for _, c := range all {
		version[c.ID] = c.Version
	}
	for _, gone := range e.accesses.over(version, now) {
		e.conns.drop(gone)
	}
	return nil
}

// over takes out the accesses of other versions than the present ones, and
// forgets those that were taken out a while ago. It returns the former.
func (a *accesses) over(version map[int64]int, now time.Time) (gone []*access) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, one := range a.by {
		if one.cred.Version < version[id] || version[id] == 0 {
			delete(a.by, id)
			gone = append(gone, one)
			a.past = append(a.past, replaced{one, now})
		}
	}
	a.past = slices.DeleteFunc(a.past, func(p replaced) bool {
		if now.Sub(p.since) < pastLimit {
			return false
		}
		p.access.forget()
		return true
	})
	return gone
}

// close forgets all.
func (a *accesses) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.by {
		one.forget()
	}
	for _, p := range a.past {
		p.access.forget()
	}
	a.by, a.past = map[int64]*access{}, nil
}
