package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
)

// Actor is who asks for a change: a person with the roles held at that moment,
// or a part of the program.
type Actor struct {
	PersonID int64 // 0 = a part of the program, or the command line
	Name     string
	From     string // network address, or "command line"
	Roles    []string
}

// inTxBy runs f in one transaction for a person who may act in it.
func (s *Store) inTxBy(ctx context.Context, actor Actor, f func(*txn) error) error {
	return s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor); err != nil {
			return err
		}
		return f(t)
	})
}

// acts makes sure, as the first of a transaction's locks, that a person still
// holds every role with which the request came, and one of those named; they
// stay so until the transaction ends. What acts without a person is the program.
func (t *txn) acts(ctx context.Context, actor Actor, oneOf ...string) error {
	if actor.PersonID == 0 {
		return nil
	}
	now, err := t.q.RightsOf(ctx, actor.PersonID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return rollout.Forbidden("Nobody named %s may act here any more. Nothing was done.", actor.Name)
	case err != nil:
		return fmt.Errorf("read the rights of %s: %w", actor.Name, err)
	case now.Disabled:
		return rollout.Forbidden("%s was disabled a moment ago. Nothing was done.", actor.Name)
	}
	for _, role := range actor.Roles {
		if !slices.Contains(now.Roles, role) {
			return rollout.Forbidden("The role %s was taken from %s a moment ago. Nothing was done.", role, actor.Name)
		}
	}
	if len(oneOf) > 0 && !slices.ContainsFunc(oneOf, func(role string) bool { return slices.Contains(now.Roles, role) }) {
		return rollout.Forbidden("%s does not have the role %s, which this needs.", actor.Name, oneOf[0])
	}
	return nil
}

// decides is asked first where one person answers what another asked for: the
// actor is a person, may act, and says why.
func (t *txn) decides(ctx context.Context, actor Actor, what, reason string) error {
	if err := t.acts(ctx, actor, "operator"); err != nil {
		return err
	}
	if actor.PersonID == 0 {
		return rollout.Conflict("%s by a person who signed in.", what)
	}
	if reason == "" {
		return rollout.Invalid("Say why: the reason is kept on record.")
	}
	return nil
}
