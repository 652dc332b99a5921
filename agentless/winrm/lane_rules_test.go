package winrm

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// The rules of messages hold on sealed connections, too: what the guard does not
// let go was not sealed, so the connection's order stands.
func TestTheGuardHoldsForSealedMessages(t *testing.T) {
	t.Parallel()
	asleep := errors.New("asleep")
	whole := false
	for allowed := int64(0); !whole; allowed++ {
		if allowed > 40 {
			t.Fatal("the command never comes through")
		}
		h := newLoginHost(t).start()
		c := dialTo(t, h.config(t, "svc", rightPassword))
		var asked atomic.Int64
		_, err := c.Run(WithGuard(withDeadline(t, 5*time.Second), func() error {
			if asked.Add(1) > allowed {
				return asleep
			}
			return nil
		}), Command{Line: "hostname"})
		whole = err == nil
		var unknown *UnknownOutcome
		if !whole && !errors.Is(err, asleep) || errors.As(err, &unknown) != (err != nil && h.count("Command") > 0) {
			t.Errorf("%d questions allowed: %v after %q", allowed, err, h.actions())
		}
		if _, err := c.Run(withDeadline(t, 5*time.Second), Command{Line: "hostname"}); err != nil {
			t.Errorf("%d questions allowed, the next command: %v", allowed, err)
		}
		if h.plain+h.readable > 0 {
			t.Errorf("%d questions allowed: %d bodies in the clear", allowed, h.plain+h.readable)
		}
	}
}

// A cancelled command is ended on the host: its connection is of no more use, so
// another is logged on for that.
func TestACancelledSealedCommandLeavesNoShell(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	waiting := make(chan struct{})
	h.on("Receive", func(_ http.ResponseWriter, _ *http.Request, _ int) {
		waiting <- struct{}{}
		<-waiting
	})
	h.start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	_, err := c.Run(ctx, Command{Line: "hostname"})
	ended := time.Now()
	close(waiting)
	if Outcome(err) != OutcomeUnknown {
		t.Errorf("%v, want an unknown outcome", err)
	}
	for deadline := ended.Add(5 * time.Second); h.count("Delete") == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("its shell is left: %q", h.actions())
		}
	}
}

// A host that judges for long holds a caller who gave up for less than a second.
func TestACallerWhoGivesUpDuringALoginWaitsBriefly(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t)
	h.mischief = func(_ http.ResponseWriter, r *http.Request, _ *login) bool {
		if len(r.Header.Get("Authorization")) < 200 {
			return false
		}
		<-r.Context().Done()
		return true
	}
	h.start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := c.Identify(ctx); Outcome(err) != OutcomeTimeout || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// A connection that the host closed while it was idle is noticed before anything
// is sent over it.
func TestAClosedConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	for range 3 {
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Error(err)
		}
		h.CloseClientConnections()
	}
	if _, _, logins, _ := h.figures(); logins != 3 {
		t.Errorf("%d logins, want 3", logins)
	}
}

// Who asks for it gets a new connection, and the calls after it share that one.
func TestAnewOpensANewConnection(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	for i := range 4 {
		if i == 2 {
			c.Anew()
		}
		if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, logins, _ := h.figures(); logins != 2 {
		t.Errorf("%d logins, want 2", logins)
	}
}

// Idle connections end by themselves.
func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t).start()
	c := dialTo(t, h.config(t, "svc", rightPassword))
	if _, err := c.Identify(withDeadline(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	p := &c.transport.lanes
	p.mu.Lock()
	kept := len(p.idle)
	for _, l := range p.idle {
		l.idle = l.idle.Add(-idleLane)
	}
	p.mu.Unlock()
	p.sweep()
	p.mu.Lock()
	left := len(p.idle)
	p.mu.Unlock()
	if kept != 1 || left != 0 {
		t.Errorf("%d kept, %d left", kept, left)
	}
}
