package kerberos

import (
	"errors"
	"fmt"
	"time"
)

// Kinds of failure; ask with errors.Is. After ErrPassword and ErrAccount a Client
// sends the credential never again, nor after two proofs in a row that no KDC
// answered, which is an ErrPassword, too.
var (
	// ErrPassword: the KDC refused the password or key, or did not say whether it
	// is right, twice.
	ErrPassword = errors.New("kerberos: credential refused")
	// ErrAccount: unknown, locked, disabled or expired.
	ErrAccount = errors.New("kerberos: account not usable")
	// ErrRealm: the KDC does not serve the realm.
	ErrRealm = errors.New("kerberos: wrong realm")
	// ErrSkew: clocks differ by more than five minutes; Error.Offset says by how much.
	ErrSkew = errors.New("kerberos: clocks differ")
	// ErrUnreachable: no KDC is known, or none answered.
	ErrUnreachable = errors.New("kerberos: no KDC answered")
	// ErrService: the KDC has no account with the host's service principal name.
	ErrService = errors.New("kerberos: host not known to the KDC")
	// ErrEncryption: no type of key that both sides have.
	ErrEncryption = errors.New("kerberos: no common encryption type")
	// ErrKeytab: unreadable, damaged, or without the account's key.
	ErrKeytab = errors.New("kerberos: keytab not usable")
	// ErrCache: unreadable, damaged, of another account, or expired.
	ErrCache = errors.New("kerberos: ticket cache not usable")
	// ErrHost: the host did not prove that it has the service's key, or refused the ticket.
	ErrHost = errors.New("kerberos: the host's answer does not verify")
	// ErrConfig: what is set is incomplete or not understood.
	ErrConfig = errors.New("kerberos: configuration")
)

// Error is a failure in words: what, where, what to do.
type Error struct {
	Kind   error
	Text   string
	Code   int32         // KRB-ERROR code, 0 when none came
	Offset time.Duration // KDC's clock minus ours, when measured
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Text }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// fail is an Error of a kind.
func fail(kind error, format string, a ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, a...)}
}

// sticky says that asking again with the same credential must not happen.
func sticky(err error) bool { return errors.Is(err, ErrPassword) || errors.Is(err, ErrAccount) }
