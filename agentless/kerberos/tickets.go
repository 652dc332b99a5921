package kerberos

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// pause is how long a login that failed is not tried again, so that the next
// hundred hosts do not ask at once.
const pause = 5 * time.Second

// mostUnanswered is how many proofs in a row may stay without an answer.
const mostUnanswered = 2

// tgt gives the own realm's ticket-granting ticket: the one at hand, a renewed
// one, or a new login. One caller at a time.
func (c *Client) tgt(ctx context.Context) (*Ticket, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	give := func() { <-c.turn }
	defer func() { give() }()
	c.mu.Lock()
	t := c.tgts[c.realm]
	c.mu.Unlock()
	now := c.now()
	if t.fresh(now) {
		return t, nil
	}
	if _, _, err := c.credential(); err != nil {
		return nil, err
	}
	if c.dead != nil && (sticky(c.dead) || now.Before(c.again)) {
		return nil, c.dead
	}
	if t != nil && t.renewable && now.Before(t.End) && now.Before(t.RenewTill) {
		renewed, err := c.exchange(ctx, c.realm, t, krbtgt(c.realm), flags.Renew, flags.Renewable)
		if err == nil {
			c.renewed.Add(1)
			c.keep(c.tgts, c.realm, renewed)
			return renewed, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrUnreachable) {
			return nil, err
		}
	}
	if c.cached {
		if t == nil {
			return nil, fail(ErrCache, "%s holds no ticket-granting ticket of %s", c.where, c.realm)
		}
		if now.Before(t.End) {
			return t, nil
		}
		return nil, fail(ErrCache, "the ticket of %s@%s in %s expired on %s; run kinit -c FILE:%s again", c.cname.PrincipalNameString(), c.realm, c.where, t.End.UTC().Format(time.RFC3339), c.where)
	}
	// A credential that is shown must be judged, whether its caller waits or not:
	// the turn goes with the login, and what comes of it is everybody's.
	give = func() {}
	came := make(chan loggedOn, 1)
	go func() {
		t, err := c.logOn(ctx)
		<-c.turn
		came <- loggedOn{t, err}
	}()
	select {
	case on := <-came:
		return on.ticket, on.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// loggedOn is what came of a login.
type loggedOn struct {
	ticket *Ticket
	err    error
}

// logOn is one login by who has the turn; what comes of it is kept. It ends with
// the context, or, once the credential was shown, after proofPatience.
func (c *Client) logOn(ctx context.Context) (*Ticket, error) {
	t, err := c.login(ctx)
	switch {
	case err == nil:
		c.dead = nil
		c.keep(c.tgts, c.realm, t)
	case ctx.Err() == nil || sticky(err) || c.unanswered.Load() > 0: // the next hundred hosts do not ask again at once
		c.dead, c.again = err, c.now().Add(pause)
	}
	return t, err
}

func (c *Client) keep(m map[string]*Ticket, k string, t *Ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		m[k] = t
	}
}

// Service gives a ticket for SERVICE/host; callers for the same one wait for
// one exchange.
func (c *Client) Service(ctx context.Context, spn string) (*Ticket, error) {
	for {
		c.mu.Lock()
		t := c.tickets[spn]
		if t.fresh(c.now()) {
			c.mu.Unlock()
			return t, nil
		}
		wait, busy := c.asking[spn]
		if !busy {
			c.asking[spn] = make(chan struct{})
		}
		c.mu.Unlock()
		if !busy {
			break
		}
		select {
		case <-wait: // it may have failed: look again
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() {
		c.mu.Lock()
		close(c.asking[spn])
		delete(c.asking, spn)
		c.mu.Unlock()
	}()
	tgt, err := c.tgt(ctx)
	if err != nil {
		return nil, err
	}
	_, host, _ := strings.Cut(spn, "/")
	sname := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: strings.Split(spn, "/")}
	realm := c.realm
	if want := c.conf.realmOf(host); want != "" && want != realm { // configured: ask for that realm's TGT first
		if tgt, err = c.exchange(ctx, realm, tgt, krbtgt(want)); err != nil {
			return nil, err
		}
		realm = tgt.ticket.SName.NameString[1]
	}
	again := !c.cached
	for hop := 0; hop < 6; hop++ {
		t, err := c.exchange(ctx, realm, tgt, sname, flags.Canonicalize)
		var k *Error
		if again && realm == c.realm && errors.As(err, &k) && (k.Code == 20 || k.Code == 31 || k.Code == 32 || k.Code == 60) {
			again = false // the KDC does not know its own ticket any more: log in anew, once
			c.keep(c.tgts, realm, nil)
			if tgt, err = c.tgt(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		n := t.ticket.SName.NameString
		if len(n) != 2 || n[0] != "krbtgt" {
			c.keep(c.tickets, spn, t)
			return t, nil
		}
		tgt, realm = t, n[1] // referral: RFC 6806, section 8
	}
	return nil, fail(ErrRealm, "the realms refer %s to each other", spn)
}

// Forget drops a service ticket that its host did not accept (its key changed).
func (c *Client) Forget(spn string) {
	c.mu.Lock()
	delete(c.tickets, spn)
	c.mu.Unlock()
}
