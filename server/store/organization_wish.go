package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// OrganizationWish is a fact to be entered or taken back that would release
// servers which are held: it waits for another operator than who asked.
type OrganizationWish struct {
	ID        int64
	Name      string
	Value     json.RawMessage // nil = what is known is to be taken back
	AskedBy   string
	AskedByID int64
	AskedAt   time.Time
	Reason    string
}

// OrganizationWishes returns what waits for a second person, by name.
func (s *Store) OrganizationWishes(ctx context.Context) ([]OrganizationWish, error) {
	rows, err := s.q.OrganizationWishes(ctx)
	if err != nil {
		return nil, fmt.Errorf("load wishes about the organization: %w", err)
	}
	var all []OrganizationWish
	for _, r := range rows {
		all = append(all, wishOf(r))
	}
	return all, nil
}

func wishOf(r db.OrganizationWish) OrganizationWish {
	return OrganizationWish{ID: r.ID, Name: r.Name, Value: r.Value, AskedBy: r.AskedBy, AskedByID: r.AskedByID, AskedAt: r.AskedAt, Reason: r.Reason}
}

// wishOrganization keeps what a person wants entered, or taken back, until
// another one answers.
func (t *txn) wishOrganization(ctx context.Context, actor Actor, name string, value json.RawMessage, before, reason string) error {
	if actor.PersonID == 0 {
		return rollout.Conflict("This would release servers that are held until the organization is prepared, and so a second person confirms it: name who asks, or do it in the console.")
	}
	id, err := t.q.InsertOrganizationWish(ctx, db.InsertOrganizationWishParams{Name: name, Value: value, AskedBy: actor.Name, AskedByID: actor.PersonID, Reason: reason})
	if errors.Is(err, pgx.ErrNoRows) {
		return rollout.Conflict("Something about %s waits for a second person already: that is confirmed or refused first.", name)
	}
	if err != nil {
		return err
	}
	t.record(actor, Record{
		What: "organization.ask", Subject: name, Reason: reason,
		Detail: map[string]any{"wish": id, "before": before, "value": string(value)},
	})
	return t.ring(ctx, "organization", 0)
}

// DecideOrganization confirms or refuses what waits. An operator who asked may
// refuse it, and never confirm it.
func (s *Store) DecideOrganization(ctx context.Context, actor Actor, id int64, confirm bool, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.decides(ctx, actor, "It is confirmed", reason); err != nil {
			return err
		}
		r, err := t.q.TakeOrganizationWish(ctx, id)
		if err != nil {
			return missing(err, "This does not wait for an answer any more.")
		}
		w, what := wishOf(r), "organization.refuse"
		known, err := t.knownOrganization(ctx)
		if err != nil {
			return err
		}
		if confirm {
			what = "organization.confirm"
			if err := t.grantWish(ctx, actor, w); err != nil {
				return err
			}
		}
		t.record(actor, Record{
			What: what, Subject: w.Name, Reason: reason,
			Detail: map[string]any{"wish": id, "asked_by": w.AskedBy, "before": string(known[w.Name].Value), "value": string(w.Value)},
		})
		if err := t.releaseHeld(ctx); err != nil {
			return err
		}
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return fmt.Errorf("decide wish %d about the organization: %w", id, err)
	}
	return nil
}

// WithdrawOrganization takes back what waits, by the person who asked for it.
func (s *Store) WithdrawOrganization(ctx context.Context, actor Actor, id int64, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why: the reason is kept on record.")
		}
		r, err := t.q.TakeOrganizationWish(ctx, id)
		if err != nil {
			return missing(err, "This does not wait for an answer any more.")
		}
		if r.AskedByID != actor.PersonID {
			return rollout.Conflict("%s asked for this: who asked takes it back, and an operator confirms or refuses it.", r.AskedBy)
		}
		t.record(actor, Record{
			What: "organization.withdraw", Subject: r.Name, Reason: reason,
			Detail: map[string]any{"wish": id, "asked_by": r.AskedBy, "value": string(r.Value)},
		})
		return t.ring(ctx, "organization", 0)
	})
	if err != nil {
		return fmt.Errorf("withdraw wish %d about the organization: %w", id, err)
	}
	return nil
}

func (t *txn) grantWish(ctx context.Context, actor Actor, w OrganizationWish) error {
	if w.AskedByID == actor.PersonID {
		return ownWork("You asked for this: somebody else has to confirm it.")
	}
	if w.Value == nil {
		return t.dropFact(ctx, w.Name, w.AskedAt)
	}
	return t.enterFact(ctx, w.Name, w.Value, w.AskedBy, w.Reason, actor.Name)
}
