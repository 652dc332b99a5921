package rollout

import (
	"errors"
	"fmt"
)

// The kinds of errors that people see with their own text. Everything else is
// an internal error to them.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")
	ErrInvalid  = errors.New("invalid")

	// ErrForbidden is a conflict, too: who had the right to ask a moment ago has
	// it no more.
	ErrForbidden = fmt.Errorf("forbidden: %w", ErrConflict)
)

// Error is a refusal with a text for people. errors.Is finds its kind.
type Error struct {
	Kind error  // ErrNotFound, ErrConflict, ErrInvalid or ErrForbidden
	Text string // a sentence for the person who asked
}

// Error returns the text for people.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// NotFound says that what was asked for does not exist.
func NotFound(format string, args ...any) error {
	return &Error{Kind: ErrNotFound, Text: fmt.Sprintf(format, args...)}
}

// Conflict says that the state does not allow what was asked, or that someone
// else was faster.
func Conflict(format string, args ...any) error {
	return &Error{Kind: ErrConflict, Text: fmt.Sprintf(format, args...)}
}

// Forbidden says that who asks may not do it, or not any more.
func Forbidden(format string, args ...any) error {
	return &Error{Kind: ErrForbidden, Text: fmt.Sprintf(format, args...)}
}

// Invalid says that what was asked cannot be right.
func Invalid(format string, args ...any) error {
	return &Error{Kind: ErrInvalid, Text: fmt.Sprintf(format, args...)}
}
