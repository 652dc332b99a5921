package winrm

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How many proofs of one password are on their way at a time. A directory locks
// an account after five to ten wrong ones, whichever hosts pass them on to it.
const (
	// sureFor is how long a password counts as right after a host took it: it may
	// be changed in the directory at any time.
	sureFor = 30 * time.Second
	// proofsAtOnce is to how many hosts a password of the domain is shown at a
	// time while it counts as right; otherwise to one.
	proofsAtOnce = 4
	// unansweredProofs in a row count as a refusal: a bad link must not lock an
	// account.
	unansweredProofs = 2
	// After unansweredProofs the next goes to a host that took the password only
	// after a pause, which doubles each time; twice as many unanswered at all hosts
	// together make one for all.
	firstPause, longestPause = 30 * time.Second, 10 * time.Minute
)

// knownHost is what an account knows of one host.
type knownHost struct {
	proving    bool // a proof is on its way
	accepted   bool
	doubtful   bool      // it took the credential, and refused it since
	took       time.Time // when it took it last
	said       int       // how often it refused
	unanswered int       // proofs since it took one
	next       time.Time // no proof before
	refused    *Refusal
}

// domain reports whether a wrong password counts at the domain, for all hosts:
// anything but Basic, certificates and .\user.
func (a *Account) domain() bool {
	return a.cfg.Auth != AuthBasic && a.cfg.Auth != AuthCertificate && !strings.HasPrefix(a.cfg.User, `.\`)
}

// guesses reports whether a proof shows a password, which may be wrong: a ticket
// and a certificate are not.
func (a *Account) guesses() bool {
	return a.cfg.Auth == AuthBasic || a.cfg.Auth == AuthNTLM
}

// host gives what is known of a host; the lock must be held.
func (a *Account) host(name string) *knownHost {
	h := a.hosts[name]
	if h == nil {
		h = &knownHost{}
		a.hosts[name] = h
	}
	return h
}

// sure reports whether the password was right a moment ago, and nothing since
// makes that doubtful; the lock must be held.
func (a *Account) sure(now time.Time) bool {
	return now.Sub(a.good) < sureFor && len(a.row) == 0 && a.unanswered < unansweredProofs
}

// room reports whether a proof may go to a host now; the lock must be held.
func (a *Account) room(h *knownHost, now time.Time) bool {
	switch {
	case h.proving:
		return false
	case !a.guesses():
		return true
	case !a.domain(): // each host has an account of its own
		return a.taken > 0 || a.flying == 0
	case a.sure(now):
		return a.flying < proofsAtOnce
	default:
		return a.flying == 0
	}
}

// prove waits until the credential may be shown to a host: one proof at a time
// for each host, and of a password that is not known to be right one at all. What
// is known by then decides once more, so of many that start at once with a wrong
// password only the first sends it.
func (a *Account) prove(ctx context.Context, host string) (*proof, error) {
	for {
		p, changed, err := a.ask(host, time.Now())
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: waiting for another login with the same credential: %w", ErrTimeout, ctx.Err())
		}
	}
}

// ask gives the permission, or what to wait for.
func (a *Account) ask(host string, now time.Time) (*proof, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.may(host); err != nil {
		return nil, nil, err
	}
	h := a.host(host)
	if a.room(h, now) {
		until := h.next
		if a.next.After(until) && a.domain() {
			until = a.next
		}
		if until.After(now) {
			return nil, nil, fmt.Errorf("%w: nothing was sent: %d logins in a row as %s were not answered, and whether the password is still right is not known; the next is tried at %s",
				ErrUnreachable, max(h.unanswered, a.unanswered), a.cfg.User, until.UTC().Format("15:04:05 MST"))
		}
		h.proving = true
		a.flying++
		return &proof{account: a, host: host, said: h.said, open: true}, nil, nil
	}
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return nil, a.changed, nil
}

// pauseAfter is how long to wait after so many unanswered proofs too many.
func pauseAfter(many int) time.Duration {
	if many > 5 {
		return longestPause
	}
	return min(firstPause<<many, longestPause)
}
