package winrm

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// proofHold is how long one host that does not answer keeps others from being
	// tried.
	proofHold = 3 * time.Second
	// proofsAtOnce is to how many hosts that have not taken it yet a credential of
	// the domain is shown at a time, once one took it.
	proofsAtOnce = 4
	// unansweredProofs in a row count as a refusal: a bad link must not lock an
	// account.
	unansweredProofs = 2
	// localRefusals of an account that each host has for itself close the others.
	localRefusals = 2
)

// knownHost is what an account knows of one host.
type knownHost struct {
	turn       chan struct{} // one proof at a time
	accepted   bool
	doubtful   bool // it took the credential, and refused it since
	unanswered int
	refused    *Refusal
}

// domain reports whether a wrong password counts at the domain, for all hosts:
// anything but Basic, certificates and .\user.
func (a *Account) domain() bool {
	return a.cfg.Auth != AuthBasic && a.cfg.Auth != AuthCertificate && !strings.HasPrefix(a.cfg.User, `.\`)
}

// host gives what is known of a host; the lock must be held.
func (a *Account) host(name string) *knownHost {
	h := a.hosts[name]
	if h == nil {
		h = &knownHost{turn: make(chan struct{}, 1)}
		a.hosts[name] = h
	}
	return h
}

// proof is the permission to show the credential to a host once. One of
// accepted, refused, lost and nothing ends it.
type proof struct {
	account *Account
	host    string
	release []func()
}

// prove waits until the credential may be shown to a host: one proof at a time
// for each host, one for all as long as none took it. What is known by then
// decides once more, so of many that start at once with a wrong password only
// the first sends it.
func (a *Account) prove(ctx context.Context, host string) (*proof, error) {
	a.mu.Lock()
	turn := a.host(host).turn
	a.mu.Unlock()
	p := &proof{account: a, host: host}
	if err := p.wait(ctx, turn, false); err != nil {
		return nil, err
	}
	a.mu.Lock()
	// A ticket shows no password: its hosts need not wait for each other.
	fresh, accepted := a.taken == 0 && a.cfg.Auth != AuthKerberos, a.host(host).accepted
	a.mu.Unlock()
	if fresh {
		if err := p.wait(ctx, a.first, true); err != nil {
			return nil, err
		}
		a.mu.Lock()
		fresh = a.taken == 0
		a.mu.Unlock()
		if !fresh { // another host took it meanwhile
			p.done(1)
		}
	}
	if !fresh && !accepted && a.domain() && a.cfg.Auth != AuthKerberos {
		if err := p.wait(ctx, a.few, true); err != nil {
			return nil, err
		}
	}
	if err := a.May(host); err != nil {
		p.done(0)
		return nil, err
	}
	return p, nil
}

// wait takes a place; one that is held for others is given back after a while.
func (p *proof) wait(ctx context.Context, places chan struct{}, briefly bool) error {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		p.done(0)
		return fmt.Errorf("%w: waiting for another login with the same credential: %w", ErrTimeout, ctx.Err())
	}
	if !briefly {
		p.release = append(p.release, func() { <-places })
		return nil
	}
	timer := time.AfterFunc(proofHold, func() { <-places })
	p.release = append(p.release, func() {
		if timer.Stop() {
			<-places
		}
	})
	return nil
}

// done gives the places back, but for the first few.
func (p *proof) done(keep int) {
	for _, give := range p.release[keep:] {
		give()
	}
	p.release = p.release[:keep]
}

// nothing ends a proof that was not sent.
func (p *proof) nothing() { p.done(0) }

// accepted notes that the host took the credential.
func (p *proof) accepted() {
	a, now := p.account, time.Now()
	a.mu.Lock()
	h := a.host(p.host)
	first := !h.accepted
	if first {
		a.taken++
	}
	h.accepted, h.doubtful, h.unanswered = true, false, 0
	a.row, a.unanswered = nil, 0
	a.mu.Unlock()
	p.done(0)
	if first && a.cfg.TellAccepted != nil {
		a.cfg.TellAccepted(p.host, now)
	}
}

// lost notes a proof that no answer came to. It is neither right nor wrong; the
// error, if there is one, says that the host is closed now.
func (p *proof) lost() error {
	a := p.account
	a.mu.Lock()
	h := a.host(p.host)
	if !h.accepted {
		h.unanswered++
		a.unanswered++
	}
	full := h.unanswered >= unansweredProofs && h.refused == nil
	a.mu.Unlock()
	if !full {
		p.done(0)
		return nil
	}
	return p.refused("the connection broke twice right after the password was sent: whether it is right is not known, and a third time could lock the account", nil)
}

// refused notes that the host did not take the credential. A host that took it
// before is believed at the second time only: one whose service starts, or whose
// domain controller is away, says no to what is right.
func (p *proof) refused(reason string, fault *Fault) error {
	a := p.account
	r := Refusal{Host: p.host, At: time.Now(), Reason: reason}
	var tell []Refusal
	a.mu.Lock()
	h := a.host(p.host)
	once := h.accepted && !h.doubtful && fault != nil
	if h.doubtful = true; !once && h.refused == nil {
		h.refused = &r
		tell = append(tell, r)
	}
	if a.row == nil {
		a.row = map[string]bool{}
	}
	if fault != nil {
		a.row[p.host] = true
	}
	limit := localRefusals
	if a.domain() && !h.accepted {
		limit = 1
	}
	if len(a.row) >= limit && a.closed == nil && a.cfg.Auth != AuthKerberos {
		all := Refusal{At: r.At, Reason: fmt.Sprintf("%s refused it (%s)", p.host, reason)}
		a.closed = &all
		tell = append(tell, all)
	}
	if a.domain() && h.accepted && len(a.row) >= localRefusals && a.cfg.Auth != AuthKerberos && !a.shut {
		// It was right once: the password is another now, for all hosts.
		a.shut = true
		all := Refusal{ForAll: true, At: r.At, Reason: fmt.Sprintf("%s refused it (%s)", p.host, reason)}
		a.closed = &all
		tell = append(tell, all)
	}
	a.mu.Unlock()
	p.done(0)
	a.tell(tell)
	return &CredentialRefused{Account: a.cfg.User, Host: p.host, Reason: reason, At: r.At, Sent: true, Fault: fault}
}

// deny closes the account itself: the directory refused it.
func (a *Account) deny(reason string) error {
	all := Refusal{ForAll: true, At: time.Now(), Reason: reason}
	a.mu.Lock()
	known := a.closed != nil && a.shut
	a.closed, a.shut = &all, true
	a.mu.Unlock()
	if !known {
		a.tell([]Refusal{all})
	}
	return &CredentialRefused{Account: a.cfg.User, Reason: reason, At: all.At, Sent: true}
}

func (a *Account) tell(news []Refusal) {
	if a.cfg.Tell == nil {
		return
	}
	for _, r := range news {
		a.cfg.Tell(r)
	}
}
