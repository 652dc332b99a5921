package winrm

import (
	"context"
	"errors"
	"fmt"
)

// ErrDenied, ErrUnreachable and ErrTimeout are the kinds of failure that leave
// a host as it was; ask with errors.Is.
var (
	// ErrDenied is a 401, a 403 or an access fault.
	ErrDenied = errors.New("access denied")
	// ErrUnreachable is a TCP or TLS connection that did not come about or broke.
	ErrUnreachable = errors.New("unreachable")
	// ErrTimeout is a deadline that ended before a command was sent.
	ErrTimeout = errors.New("timed out")
	// errBroken is a connection that came about and ended without an answer.
	errBroken = fmt.Errorf("%w: the connection ended without an answer", ErrUnreachable)
	// errForgotten is a host that does not know a connection's login any more. Over
	// http nothing proves that it was the host who said so: what was sent may have
	// been carried out.
	errForgotten = fmt.Errorf("%w: the host no longer knows the login of this connection", ErrUnreachable)
	// errUnsealed is an answer that did not come sealed: nothing of it is used.
	errUnsealed = fmt.Errorf("%w: it came without encryption on a connection where all is encrypted", errAnswer)
	// errAnswer is an answer that is not what was asked for: not XML, too
	// large, or without the element that must be there.
	errAnswer = errors.New("answer not understood")
)

// Refused is our own rule: nothing was sent to the host.
type Refused struct{ Reason string }

// Error names the rule.
func (r *Refused) Error() string { return "refused: " + r.Reason }

func refusedPlain(address string) *Refused {
	return &Refused{Reason: "plain http to " + address + ", which is outside 127.0.0.0/8: use https, or NTLM or Kerberos (--auth), which seal each message"}
}

// UnknownOutcome means that a command was sent and no exit code came: it may
// have run, may run still, or may never have started. It must not be sent
// again; the host has to be asked what happened.
type UnknownOutcome struct {
	Err   error
	Fault *Fault // the fault that ended it, or nil
}

// Error says that the outcome is unknown, and why.
func (u *UnknownOutcome) Error() string {
	return fmt.Sprintf("command was sent, its outcome is unknown: %v", u.Err)
}

// Unwrap gives the cause.
func (u *UnknownOutcome) Unwrap() error { return u.Err }

func unknown(err error) *UnknownOutcome {
	u := &UnknownOutcome{Err: err}
	errors.As(err, &u.Fault)
	return u
}

// Outcomes are the words for how a call to a host ended.
const (
	OutcomeDone        = "done"
	OutcomeRefused     = "refused"
	OutcomeDenied      = "denied"
	OutcomeUnreachable = "unreachable"
	OutcomeUntrusted   = "untrusted"
	OutcomeTimeout     = "timeout"
	OutcomeFault       = "fault"
	OutcomeUnknown     = "unknown"
)

// Outcome puts an error of this package into one word. What is none of the
// other kinds (a WSMan fault, an answer that is no WSMan) is a fault: nothing
// ran.
func Outcome(err error) string {
	var (
		lost *UnknownOutcome
		rule *Refused
	)
	switch {
	case err == nil:
		return OutcomeDone
	case errors.As(err, &lost):
		return OutcomeUnknown
	case errors.As(err, &rule):
		return OutcomeRefused
	case errors.Is(err, ErrDenied):
		return OutcomeDenied
	case errors.Is(err, ErrTrust):
		return OutcomeUntrusted
	case errors.Is(err, ErrUnreachable):
		return OutcomeUnreachable
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return OutcomeTimeout
	default:
		return OutcomeFault
	}
}
