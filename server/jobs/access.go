package jobs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
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

	mu    sync.Mutex
	hosts map[string]int64 // by the names that the account knows them by
}

// accesses keeps the access of each credential between ticks.
type accesses struct {
	mu sync.Mutex
	by map[int64]*access // by the credential's id
}

// accountConfig says how the profile's account logs on. Nothing is sent; what is
// wrong with a keytab, a ticket cache, a realm or a certificate is found here.
func accountConfig(p store.Profile, c store.SealedCredential, secret []byte) (winrm.AccountConfig, error) {
	cfg := winrm.AccountConfig{Auth: winrm.Auth(p.Auth), User: c.Account, Service: p.SPNService}
	switch {
	case p.Auth == store.AuthKerberos:
		realm := kerberos.Config{User: c.Account, Realm: p.Realm, KDCs: p.KDCs, Krb5Conf: p.Krb5Conf}
		switch c.Kind {
		case store.KindKeytab:
			realm.Keytab, realm.KeytabPath = secret, "of profile "+p.Name
		case store.KindCCache:
			realm.Cache, realm.CachePath = secret, "of profile "+p.Name
		default:
			realm.Password = string(secret)
		}
		client, err := kerberos.New(realm)
		if err != nil {
			return cfg, fmt.Errorf("profile %s: %w", p.Name, err)
		}
		cfg.Kerberos = client
	case p.Auth == store.AuthCertificate:
		pair, err := tls.X509KeyPair(secret, secret)
		if err != nil {
			return cfg, fmt.Errorf("profile %s: read the client certificate: %w", p.Name, err)
		}
		cfg.Certificate = &pair
	case c.Kind != store.KindPassword:
		return cfg, fmt.Errorf("profile %s signs in by %s, which takes a password, and has a %s: set the credential anew", p.Name, p.Auth, c.Kind)
	default:
		cfg.Password = string(secret)
	}
	return cfg, nil
}

// access returns how the profile's account logs on, kept as long as neither the
// credential nor the profile changes. What stood against this version before is
// known to it from the start.
func (e *Engine) access(ctx context.Context, p store.Profile, c store.SealedCredential, against store.Standing) (*access, error) {
	e.accesses.mu.Lock()
	defer e.accesses.mu.Unlock()
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %q %q %q %q %q", c.Version, c.Account, c.Kind, p.Auth, p.Realm, p.KDCs, p.Krb5Conf, p.SPNService))
	made := hex.EncodeToString(sum[:])
	if kept, ok := e.accesses.by[c.ID]; ok && kept.made == made {
		return kept, nil
	}
	secret, err := e.keys.Open(c.Sealed, c.KeyID, c.ProfileID, c.Purpose)
	if err != nil {
		return nil, fmt.Errorf("credential %s of profile %s: %w", c.Purpose, p.Name, err)
	}
	cfg, err := accountConfig(p, c, secret)
	if err != nil {
		return nil, err
	}
	names, err := e.store.AccountNames(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	a := &access{engine: e, made: made, cred: c, hosts: map[string]int64{}}
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
		if r.HostID == 0 {
			cfg.Refused = append(cfg.Refused, winrm.Refusal{At: r.At, Reason: r.Reason})
		}
	}
	cfg.Tell, cfg.TellAccepted = a.tell, a.tellAccepted
	if a.account, err = winrm.NewAccount(cfg); err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	e.accesses.by[c.ID] = a
	return a, nil
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
	if err := a.engine.store.NoteRefusal(ctx, a.cred, host, reason); err != nil {
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
