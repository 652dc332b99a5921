package twin

import (
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	"wavekeeper/agentless/ntlm"
)

// Account is one that WinRM knows beside the fleet's own.
type Account struct {
	Name     string // DOMAIN\name, or a name for a local account of every host
	Password string // empty: it can log on by Kerberos only
	Admin    bool   // in the hosts' Administrators, as WinRM 1.1 and 2.0 want of callers
}

// domainName is the NetBIOS name of the host's domain: the first label of its
// DNS name, in capitals.
func (h *host) domainName() string {
	first, _, _ := strings.Cut(h.domain(), ".")
	return strings.ToUpper(first)
}

// networkAccounts are all that can log on to a host over the network.
func networkAccounts(o Options) []Account {
	all := []Account{{Name: o.User, Password: o.Password, Admin: true}}
	if o.RunAs != "" {
		all = append(all, Account{Name: o.RunAs, Password: o.RunAsPassword, Admin: true})
	}
	return append(all, o.Accounts...)
}

// accountOf finds who is meant by a name as it came over the wire. Without a
// domain the host looks into its own accounts first, then asks its domain [K].
func (h *host) accountOf(user, domain string) (Account, bool) {
	if at := strings.LastIndex(user, "@"); at > 0 && domain == "" {
		user, domain = user[:at], user[at+1:]
	}
	local := domain == "" || domain == "." || strings.EqualFold(domain, h.name)
	inDomain := domain == "" || strings.EqualFold(domain, h.domain()) || strings.EqualFold(domain, h.domainName())
	for _, a := range h.accounts {
		d, name, isDomain := strings.Cut(a.Name, `\`)
		switch {
		case !isDomain && local && strings.EqualFold(a.Name, user):
			return a, true
		case isDomain && strings.EqualFold(name, user) && (strings.EqualFold(d, domain) || inDomain && strings.EqualFold(d, h.domainName())):
			return a, true
		}
	}
	return Account{}, false
}

// lookup gives an account's NT hash.
func (h *host) lookup(user, domain string) ([]byte, bool) {
	a, ok := h.accountOf(user, domain)
	if !ok || a.Password == "" {
		return nil, false
	}
	hash, err := ntlm.Hash(a.Password)
	return hash, err == nil
}

// same compares a password.
func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// Proofs counts what hosts got to prove one account with.
type Proofs struct {
	Sent    int // passwords and answers to challenges; tickets and certificates are none
	Refused int // of these
	Row     int // refusals since the last that was right
}

// lockLasts is how long a lockout lasts: the policy's default [K].
const lockLasts = 30 * time.Minute

// ledger counts proofs by account: HOST\name for local accounts, DOMAIN\name
// for the domain's, which are one account everywhere.
type ledger struct {
	sync.Mutex
	by     map[string]*Proofs
	locked map[string]time.Time
}

// ledgerName is an account's name in the ledger.
func (h *host) ledgerName(user, domain string) string {
	a, ok := h.accountOf(user, domain)
	switch {
	case ok && strings.Contains(a.Name, `\`):
		return strings.ToLower(a.Name)
	case ok:
		return strings.ToLower(h.name + `\` + a.Name)
	case domain != "" && domain != ".":
		return strings.ToLower(domain + `\` + user)
	case strings.Contains(user, "@"):
		return strings.ToLower(user)
	}
	return strings.ToLower(h.name + `\` + user)
}

// proved enters a proof and says what counts: a locked account's is refused,
// whatever it is. It returns the account's figures.
func (l *ledger) proved(name string, right bool, threshold int, lasts time.Duration) (bool, Proofs) {
	l.Lock()
	defer l.Unlock()
	if l.by == nil {
		l.by, l.locked = map[string]*Proofs{}, map[string]time.Time{}
	}
	p := l.by[name]
	if p == nil {
		p = &Proofs{}
		l.by[name] = p
	}
	p.Sent++
	if time.Now().Before(l.locked[name]) {
		right = false
	}
	if right {
		p.Row = 0
		return true, *p
	}
	p.Refused++
	p.Row++
	if threshold > 0 && p.Row >= threshold {
		l.locked[name] = time.Now().Add(lasts)
	}
	return false, *p
}

// Proofs tells, by account (HOST\name or DOMAIN\name, lower case), how often
// hosts were shown a proof and refused it: the evidence of what a client did
// with a wrong password.
func (f *Fleet) Proofs() map[string]Proofs {
	f.ledger.Lock()
	defer f.ledger.Unlock()
	all := map[string]Proofs{}
	for name, p := range f.ledger.by {
		all[name] = *p
	}
	return all
}
