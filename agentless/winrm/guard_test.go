package winrm

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestNothingIsSentAgainstTheGuard lets the guard allow a number of questions
// and refuses the rest: whatever the number, a command that is refused did not
// arrive, is not of unknown outcome, and its shell is closed.
func TestNothingIsSentAgainstTheGuard(t *testing.T) {
	t.Parallel()
	asleep := errors.New("asleep")
	whole := false
	for allowed := int64(0); !whole; allowed++ {
		if allowed > 40 {
			t.Fatal("the command never comes through")
		}
		h := newFakeHost(t)
		c := h.dial(t)
		var asked atomic.Int64
		ctx := WithGuard(withDeadline(t, 5*time.Second), func() error {
			if asked.Add(1) > allowed {
				return asleep
			}
			return nil
		})
		_, err := c.Run(ctx, Command{Line: "hostname"})
		whole = err == nil
		c.Close()
		if !whole && !errors.Is(err, asleep) {
			t.Errorf("%d questions allowed: %v, want the guard's error", allowed, err)
		}
		var unknown *UnknownOutcome
		if errors.As(err, &unknown) != (err != nil && h.count("Command") > 0) {
			t.Errorf("%d questions allowed: %v after %q", allowed, err, h.actions())
		}
		if n := h.count("Create"); h.count("Delete") != n {
			t.Errorf("%d questions allowed: %q, want every shell closed", allowed, h.actions())
		}
		if allowed == 0 && h.actions() != "" {
			t.Errorf("nothing is allowed and %q was sent", h.actions())
		}
	}
}

// TestGuardIsAskedAfterTheConnectionIsMade: the last question comes when a
// request is about to be written, so that time spent on dialling counts.
func TestGuardIsAskedAfterTheConnectionIsMade(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	c := h.dial(t)
	var asked atomic.Int64
	late := errors.New("late")
	_, err := c.Identify(WithGuard(withDeadline(t, 5*time.Second), func() error {
		if asked.Add(1) == 2 { // the first is asked before the connection
			return late
		}
		return nil
	}))
	if !errors.Is(err, late) || strings.Contains(h.actions(), "Identify") {
		t.Errorf("%v after %q, want nothing to arrive", err, h.actions())
	}
}
