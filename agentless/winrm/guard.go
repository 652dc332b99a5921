package winrm

import "context"

// WithGuard returns a context whose calls ask may right before each message
// leaves; an error of it keeps the message from being sent. Unlike a context's
// own end it does not wait for a timer: a process that was frozen asks first.
// What ends a shell is sent in any case.
func WithGuard(ctx context.Context, may func() error) context.Context {
	return context.WithValue(ctx, guardKey{}, may)
}

type guardKey struct{}

// unguarded is ctx without its guard.
func unguarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, guardKey{}, (func() error)(nil))
}

// heldBack is a message that its guard did not let go.
type heldBack struct{ err error }

// Error says why.
func (h *heldBack) Error() string { return "not sent: " + h.err.Error() }

// Unwrap gives the guard's error.
func (h *heldBack) Unwrap() error { return h.err }
