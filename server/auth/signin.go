package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// ErrSignIn is the one answer to a wrong name and to a wrong password.
var ErrSignIn = errors.New("name or password is wrong")

// ErrTooMany says that this name, or everybody, failed too often from this
// network. From elsewhere the same name still gets in.
var ErrTooMany = errors.New("too many failed attempts from here; wait a quarter of an hour, or sign in from another network")

// Records is what signing in needs to know and to write down.
type Records interface {
	// SignInBegins writes an attempt down as failed and returns true; or, when
	// tooMany says so of the failures in the last quarter of an hour, writes down
	// nothing and returns false. Attempts of one network are counted one after
	// the other, so that many at one moment are not more than many in a row.
	SignInBegins(ctx context.Context, name, network string, tooMany func(byName, byNetwork int) bool) (bool, error)
	// Password returns a person's id and hash; 0 when there is no such person
	// or when the person is disabled.
	Password(ctx context.Context, name string) (person int64, hash string, err error)
	// SignInEnded puts on record how an attempt ended. After a good one the
	// name's failures from that network are forgotten; refused ones do not count.
	SignInEnded(ctx context.Context, name, address, network string, person int64, refused bool) error
}

// Limits of failures in a quarter of an hour, from one network.
const (
	maxByName    = 5
	maxByNetwork = 100
)

// TooMany decides whether an attempt is refused before the password is looked
// at. Both counts are of one network, so that nobody can lock a name out from
// another one.
func TooMany(byName, byNetwork int) bool { return byName >= maxByName || byNetwork >= maxByNetwork }

// Network returns the network of a remote address: the address itself for
// IPv4, its /64 for IPv6, where one machine has as many addresses as it likes.
func Network(remote string) string {
	host := remote
	if h, _, err := net.SplitHostPort(remote); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}

// nobody is compared when there is no such person, so that time tells nothing.
var nobody = sync.OnceValues(func() (string, error) { return HashPassword(NewPassword()) })

// noName stands on record for what was typed and cannot be anybody's name.
const noName = "(no name)"

// typedName is the name that was meant. What no person can be called is not
// kept: it comes from anybody.
func typedName(typed string) string {
	name := strings.ToLower(strings.TrimSpace(typed))
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	if name == "" || len(name) > 256 || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, odd) {
		return noName
	}
	return name
}

// SignIn returns the person whose name and password these are, or ErrSignIn or
// ErrTooMany. remote is the caller's network address.
func SignIn(ctx context.Context, records Records, name, password, remote string) (int64, error) {
	name = typedName(name)
	network := Network(remote)
	decoy, err := nobody()
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	begun, err := records.SignInBegins(ctx, name, network, TooMany)
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if !begun {
		if err := records.SignInEnded(ctx, name, remote, network, 0, true); err != nil {
			return 0, fmt.Errorf("sign in: %w", err)
		}
		return 0, ErrTooMany
	}
	person, hash, err := records.Password(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if person == 0 {
		hash = decoy
	}
	same, err := CheckPassword(ctx, password, hash)
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if !same {
		person = 0
	}
	if err := records.SignInEnded(ctx, name, remote, network, person, false); err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if person == 0 {
		return 0, ErrSignIn
	}
	return person, nil
}
