package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// NeedsFirstAdmin reports whether nobody can administer the installation yet.
func (s *Store) NeedsFirstAdmin(ctx context.Context) (bool, error) {
	n, err := s.q.CountAdmins(ctx)
	if err != nil {
		return false, fmt.Errorf("count admins: %w", err)
	}
	return n == 0, nil
}

// SetFirstAdminToken keeps the hash of a one-time token, in place of any
// earlier one, for a day.
func (s *Store) SetFirstAdminToken(ctx context.Context, token string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.q.DeleteFirstAdminTokens(ctx); err != nil {
			return err
		}
		return t.q.AddFirstAdminToken(ctx, db.AddFirstAdminTokenParams{Hash: tokenHash(token), ExpiresAt: t.now.Add(24 * time.Hour)})
	})
	if err != nil {
		return fmt.Errorf("keep the first admin's token: %w", err)
	}
	return nil
}

// AddFirstAdmin adds an admin for the one-time token, which is used up.
func (s *Store) AddFirstAdmin(ctx context.Context, token, name, hash, from string) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.q.LockPeople(ctx); err != nil {
			return err
		}
		n, err := t.q.CountAdmins(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return rollout.Conflict("There is an admin already.")
		}
		used, err := t.q.TakeFirstAdminToken(ctx, tokenHash(token))
		if err != nil {
			return err
		}
		if used == 0 {
			return rollout.Invalid("The token is wrong, used or older than a day. The next start of the server prints a new one.")
		}
		id, err = t.addPerson(ctx, Actor{Name: "first-admin token", From: from}, NewPerson{Name: name, Hash: hash, Roles: []string{"admin"}})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add the first admin: %w", err)
	}
	return id, nil
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Password returns a person's id and password hash for auth; 0 when there is
// no such person or the person is disabled.
func (s *Store) Password(ctx context.Context, name string) (int64, string, error) {
	p, err := s.q.PersonByName(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && p.Disabled {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("load person: %w", err)
	}
	return p.ID, p.PasswordHash, nil
}

// SignInBegins writes the attempt down as failed, unless tooMany says that too
// many failed before it in the last quarter of an hour. Attempts of one network
// come here one after the other, whichever process they reach.
func (s *Store) SignInBegins(ctx context.Context, name, network string, tooMany func(byName, byNetwork int) bool) (bool, error) {
	begun := false
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.q.LockSignIns(ctx, network); err != nil {
			return err
		}
		n, err := t.q.CountSignInFailures(ctx, db.CountSignInFailuresParams{Name: name, Network: network})
		if err != nil {
			return err
		}
		if tooMany(int(n.ByName), int(n.ByNetwork)) {
			return nil
		}
		begun = true
		return t.q.AddSignInFailure(ctx, db.AddSignInFailureParams{Name: name, Network: network})
	})
	if err != nil {
		return false, fmt.Errorf("count failed attempts: %w", err)
	}
	return begun, nil
}

// refusalsOnRecord is how many refused attempts of one network are written down
// in a quarter of an hour, each name once: who goes on and on must not be able
// to fill a record that is never cut.
const refusalsOnRecord = 20

// SignInEnded writes down how an attempt ended: person is 0 when it failed.
// Refused ones count for nothing but are on the record.
func (s *Store) SignInEnded(ctx context.Context, name, address, network string, person int64, refused bool) error {
	err := s.inTx(ctx, func(t *txn) error {
		actor := Actor{PersonID: person, Name: name, From: address}
		switch {
		case refused:
			if err := t.q.LockSignIns(ctx, network); err != nil {
				return err
			}
			known, err := t.q.CountRefusedSignIns(ctx, db.CountRefusedSignInsParams{Name: name, Network: network})
			if err != nil || known.ByName > 0 || known.ByNetwork >= refusalsOnRecord {
				return err
			}
			t.record(actor, Record{
				What: "sign-in.refused", Subject: name, Reason: "too many failed attempts from this network", Detail: map[string]any{"network": network},
			})
			return nil
		case person == 0:
			t.record(actor, Record{What: "sign-in.failed", Subject: name})
			return t.q.DropOldSignInFailures(ctx)
		}
		t.record(actor, Record{What: "sign-in", Subject: name})
		if err := t.q.DeleteExpiredSessions(ctx); err != nil {
			return err
		}
		return t.q.ForgetSignInFailures(ctx, db.ForgetSignInFailuresParams{Name: name, Network: network})
	})
	if err != nil {
		return fmt.Errorf("record the attempt to sign in: %w", err)
	}
	return nil
}
