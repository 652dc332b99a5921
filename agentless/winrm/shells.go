package winrm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A program that is killed leaves its shell open on the host until that was not
// used for its idle time, and a host has few shells for an account. So a short
// time is asked for, and a host that has no shell left is waited for.
const (
	// shortestIdle is the least that a host takes; smaller values count as this.
	// Source: the policy "Specify idle Timeout" (WindowsRemoteShell.admx), and
	// MS-WSMV for IdleTimeoutms. A message of ours comes every few seconds, also
	// while output is waited for.
	shortestIdle = time.Minute
	// Defaults of winrm/config/winrs: 2.0 as in msdn ee309367 and MS-WSMV
	// 2.2.4.42, 1.1 as the policy's text says for what came before.
	defaultIdle   = 3 * time.Minute
	defaultIdle11 = 15 * time.Minute
	// identifiesIdle is the first version of which it is documented that a client
	// may ask for an idle time (the element's description, MS-WSMV 2.2.4.37, names
	// no version; the recorded requests and the wsman.h that came with 2.0 do).
	identifiesIdle = 2
)

// idle is the idle time to ask for with a shell; 0 = none is asked for.
func (c *Conn) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noIdle || c.identity == nil || c.identity.StackMajor < identifiesIdle {
		return 0
	}
	// No two messages within a shell are further apart than this.
	return min(max(shortestIdle, 3*c.cfg.OperationTimeout), defaultIdle)
}

// idleRefused notes that the host takes shells without an idle time only.
func (c *Conn) idleRefused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noIdle = true
}

// blamed reports whether a host refused Create for what was in it, and for
// nothing that is known to be wrong.
func blamed(err error) bool {
	var fault *Fault
	if !errors.As(err, &fault) || fault.Blame == "" || fault.Is(ErrDenied) {
		return false
	}
	switch fault.Code {
	case CodeShellQuota, CodeOperationQuota, CodeRequestQuota, CodeSystemQuota, CodeUserQuota, CodeCodePage, CodeKeyDeleted, CodeBadTimeout, CodeTimedOut:
		return false
	case CodeParameter, CodeParameterHR, CodeSchema:
		return true
	}
	return fault.Blame == "Sender"
}

// ShellsFull is a host that has as many shells open for the account as it
// allows. Nothing ran.
type ShellsFull struct {
	Since time.Time // when this connection was refused first, without a shell in between
	Last  time.Time // when it was refused now
	// Until is when shells that nobody uses have ended, if the host lets them idle
	// as long as its version does by default.
	Until time.Time
	Idle  time.Duration // that time
	Late  bool          // it has passed
	Fault *Fault
}

// Error says why, and until when.
func (s *ShellsFull) Error() string {
	const why = "the host has as many remote shells open for this account as it allows (wsman fault %d)"
	until := s.Until.UTC().Format("15:04") + " UTC"
	if s.Late {
		return fmt.Sprintf(why+", also after %s, when those that nobody uses should have ended: another program uses the account, or the host lets them idle for longer", s.Fault.Code, until)
	}
	return fmt.Sprintf(why+"; those that a program left open when it was killed end by themselves within %d min, by %s at the latest", s.Fault.Code, s.Idle/time.Minute, until)
}

// Unwrap gives the host's fault.
func (s *ShellsFull) Unwrap() error { return s.Fault }

// Pause is how long to wait before a shell is asked for again: it grows with the
// time that was waited, and no two wait equally long.
func (s *ShellsFull) Pause() time.Duration {
	pause := min(max(s.Last.Sub(s.Since)/2, 5*time.Second), 30*time.Second)
	return pause + rand.N(pause/4)
}

const (
	quotaTries = 3                      // after the first
	quotaPause = 150 * time.Millisecond // before the second try; doubles
)

// mayTryAgain reports whether what failed did certainly not run and may succeed
// when it is tried again, after the pause that it makes.
func (c *Conn) mayTryAgain(ctx context.Context, err error, kept bool, try int) bool {
	var lost *UnknownOutcome
	code, _ := FaultCode(err)
	switch {
	case errors.As(err, &lost) || ctx.Err() != nil:
		return false
	case kept && code == CodeGone:
		return true // the host was restarted since, or dropped the shell
	case !quotaCode(code):
		return false
	}
	// What this process keeps there counts, too.
	c.giveBack(ctx)
	pause := quotaPause << try
	timer := time.NewTimer(pause/2 + rand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// quotaCode reports whether a fault is a limit of the host that others, or a
// moment, may lift.
func quotaCode(code uint32) bool {
	switch code {
	case CodeShellQuota, CodeOperationQuota, CodeRequestQuota, CodeSystemQuota, CodeUserQuota:
		return true
	}
	return false
}

// shellFor turns the refusal of a shell for their number into ShellsFull, and
// notes since when they are refused. Other errors stay as they are.
func (c *Conn) shellFor(err error, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var fault *Fault
	switch {
	case err == nil:
		c.full = ShellsFull{}
		return nil
	case !errors.As(err, &fault) || fault.Code != CodeShellQuota:
		return err
	}
	out := &ShellsFull{Since: c.full.Since, Last: now, Idle: defaultIdle, Fault: fault}
	if c.identity == nil || c.identity.StackMajor < identifiesIdle {
		out.Idle = defaultIdle11
	}
	if now.Sub(c.full.Last) > out.Idle { // not asked for so long that nothing is known of the time between
		out.Since = now
	}
	out.Until = out.Since.Add(out.Idle + time.Minute).Truncate(time.Minute)
	out.Late = now.After(out.Until)
	c.full = *out
	return out
}
