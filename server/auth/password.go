package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// MinPassword is the least number of characters of a password.
const MinPassword = 12

// cost of one check: 64 MiB, two passes (RFC 9106 asks for 64 MiB where memory
// is scarce). The parameters are kept in each hash, so they can be raised.
var cost = &argon2id.Params{Memory: 64 * 1024, Iterations: 2, Parallelism: 2, SaltLength: 16, KeyLength: 32}

// checks bounds how much memory password checks may take at one time.
var checks = make(chan struct{}, 4)

// ErrPassword says that a password is not good enough.
var ErrPassword = errors.New("the password is too short")

// HashPassword returns the argon2id hash of a new password.
func HashPassword(password string) (string, error) {
	if utf8.RuneCountInString(password) < MinPassword {
		return "", fmt.Errorf("%w: it needs at least %d characters", ErrPassword, MinPassword)
	}
	checks <- struct{}{}
	defer func() { <-checks }()
	hash, err := argon2id.CreateHash(password, cost)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return hash, nil
}

// CheckPassword reports whether the password belongs to the hash. Many checks
// wait for each other; one whose caller is gone waits no longer.
func CheckPassword(ctx context.Context, password, hash string) (bool, error) {
	select {
	case checks <- struct{}{}:
		defer func() { <-checks }()
	case <-ctx.Done():
		return false, fmt.Errorf("check the password: %w", ctx.Err())
	}
	same, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("check the password: %w", err)
	}
	return same, nil
}

// NewPassword returns a password of 26 letters and digits, 128 bits and more.
func NewPassword() string { return rand.Text() }
