package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// FixPage is what a run of a fix must have on record before an effect happens on
// its host. Every write checks the lease, the run's generation and that nothing
// else is in work there, in its own transaction.
type FixPage struct {
	Lease      Lease
	Run        int64
	Generation int64
	Fix        int64
	Host       string
}

// IntendFix asks, right before an effect, whether the fix may go on.
func (s *Store) IntendFix(ctx context.Context, p FixPage) error {
	if err := s.onFix(ctx, p, func(*txn) error { return nil }); err != nil {
		return fmt.Errorf("go on with fix %d: %w", p.Fix, err)
	}
	return nil
}

// ChangeFix records the state found before a change, as OpenLedger: while one of
// the same kind and name is open its id is returned and its Before kept, to
// which keys are added that it did not have.
func (s *Store) ChangeFix(ctx context.Context, p FixPage, c FixChange) (int64, error) {
	var id int64
	err := s.onFix(ctx, p, func(t *txn) error {
		before, err := json.Marshal(c.Before)
		if err != nil {
			return err
		}
		id, err = t.q.OpenFixChange(ctx, db.OpenFixChangeParams{FixID: p.Fix, Kind: c.Kind, Name: c.Name})
		if err == nil {
			_, err = t.q.LearnFixChange(ctx, db.LearnFixChangeParams{Found: before, ID: id})
			return err
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		meant, err := json.Marshal(c.Meant)
		if err != nil {
			return err
		}
		id, err = t.q.InsertFixChange(ctx, db.InsertFixChangeParams{FixID: p.Fix, Kind: c.Kind, Name: c.Name, Before: before, Meant: meant})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("record a change of fix %d: %w", p.Fix, err)
	}
	return id, nil
}

// RestoreFix records that a change of a fix was put back; deviation says what
// could not be, or is empty.
func (s *Store) RestoreFix(ctx context.Context, p FixPage, id int64, deviation string) error {
	err := s.onFix(ctx, p, func(t *txn) error {
		_, err := t.q.RestoreFixChange(ctx, db.RestoreFixChangeParams{Deviation: deviation, ID: id, FixID: p.Fix})
		return err
	})
	if err != nil {
		return fmt.Errorf("record that change %d of fix %d is put back: %w", id, p.Fix, err)
	}
	return nil
}

// onFix runs f in a transaction that holds the lease and finds the run in work
// under its generation, on a host on which no upgrade is.
func (s *Store) onFix(ctx context.Context, p FixPage, f func(*txn) error) error {
	return s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, p.Lease); err != nil {
			return err
		}
		busy, err := t.q.ServerInWorkOnHost(ctx, p.Host)
		if err == nil && busy != "" {
			return rollout.Conflict("%s is in work on this host.", busy)
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		run, err := t.q.RunByID(ctx, p.Run)
		if err != nil {
			return err
		}
		if run.Generation != p.Generation || !inWork(rollout.State(run.State)) {
			return overtaken("run %d moved on meanwhile", p.Run)
		}
		if err := f(t); err != nil {
			return err
		}
		return t.ring(ctx, "fix", p.Fix)
	})
}
