package winrm

import (
	"fmt"
	"time"
)

// localRefusals of an account that each host has for itself close the others.
const localRefusals = 2

// proof is the permission to show the credential to a host once. One of
// accepted, refused, lost and nothing ends it.
type proof struct {
	account *Account
	host    string
	said    int  // how often the host had refused before
	certain bool // none, in truth: the host took it a moment ago
	// unsettled is one that the host said yes to over http: true when its first
	// sealed answer opens.
	unsettled bool
	open      bool // it keeps others waiting; guarded by the account
}

// done lets the next go; the lock must be held.
func (p *proof) done() {
	if !p.open {
		return
	}
	a := p.account
	p.open = false
	a.host(p.host).proving = false
	a.flying--
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// nothing ends a proof that was not sent, or not judged.
func (p *proof) nothing() {
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	p.done()
}

// accepted notes that the host took the credential.
func (p *proof) accepted() {
	a, now := p.account, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.host(p.host)
	if !h.accepted {
		a.taken++
		if a.cfg.TellAccepted != nil {
			a.tell(func() { a.cfg.TellAccepted(p.host, now) })
		}
	}
	h.accepted, h.doubtful, h.unanswered, h.took, h.next = true, false, 0, now, time.Time{}
	a.row, a.unanswered, a.good, a.next = nil, 0, now, time.Time{}
	p.done()
}

// lost notes a proof that was sent, and of which nobody knows how it was judged.
// The error, if there is one, says that the host is closed now.
func (p *proof) lost(why error) error {
	a, now := p.account, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	defer p.done()
	if p.certain || !a.guesses() {
		return nil
	}
	h := a.host(p.host)
	h.unanswered++
	a.unanswered++
	if many := h.unanswered - unansweredProofs; many >= 0 {
		h.next = now.Add(pauseAfter(many))
	}
	if many := a.unanswered - 2*unansweredProofs; many >= 0 && a.domain() {
		a.next = now.Add(pauseAfter(many))
	}
	all := a.domain() && a.taken == 0 && a.unanswered >= unansweredProofs
	if h.refused != nil || h.accepted || !all && h.unanswered < unansweredProofs {
		return nil
	}
	reason := fmt.Sprintf("twice no answer came that says whether the password is right, the last time from %s (%v): a third time could lock the account", p.host, why)
	r := Refusal{Host: p.host, At: now, Reason: reason}
	if h.unanswered >= unansweredProofs {
		h.refused = &r
		a.news(r)
	}
	if all && a.closed == nil {
		a.closed = &Refusal{At: now, Reason: reason}
		a.news(*a.closed)
	}
	return &CredentialRefused{Account: a.cfg.User, Host: p.host, Reason: reason, At: now, Sent: true}
}

// refused notes that the host did not take the credential. A host that took it
// before is believed at the second time only: one whose service starts, or whose
// domain controller is away, says no to what is right.
func (p *proof) refused(reason string, fault *Fault) error {
	a, now := p.account, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	defer p.done()
	h := a.host(p.host)
	if h.said == p.said { // otherwise it was sent before the host said no to another
		a.refuse(h, Refusal{Host: p.host, At: now, Reason: reason})
	}
	return &CredentialRefused{Account: a.cfg.User, Host: p.host, Reason: reason, At: now, Sent: true, Fault: fault}
}

// refuse draws the conclusions; the lock must be held.
func (a *Account) refuse(h *knownHost, r Refusal) {
	h.said++
	once := h.accepted && !h.doubtful
	if h.doubtful = true; !once && h.refused == nil {
		h.refused = &r
		a.news(r)
	}
	if a.row == nil {
		a.row = map[string]bool{}
	}
	a.row[r.Host] = true
	if a.cfg.Auth == AuthKerberos { // a ticket that a host does not take says nothing of the password
		return
	}
	limit := localRefusals
	if a.domain() && !h.accepted {
		limit = 1
	}
	all := Refusal{At: r.At, Reason: fmt.Sprintf("%s refused it (%s)", r.Host, r.Reason)}
	// One that was right once is another now, for all hosts.
	all.ForAll = a.domain() && h.accepted && len(a.row) >= localRefusals
	if all.ForAll && !a.shut || len(a.row) >= limit && a.closed == nil {
		a.closed, a.shut = &all, a.shut || all.ForAll
		a.news(all)
	}
}

// deny closes the account itself: the directory refused it.
func (a *Account) deny(reason string) error {
	all := Refusal{ForAll: true, At: time.Now(), Reason: reason}
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.closed != nil && a.shut
	if a.closed, a.shut = &all, true; !known {
		a.news(all)
	}
	return &CredentialRefused{Account: a.cfg.User, Reason: reason, At: all.At, Sent: true}
}
