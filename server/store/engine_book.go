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

// LedgerEntry is one thing on a host that was changed for a while, with the
// state found before.
type LedgerEntry struct {
	ID         int64
	Host       string
	Kind, Name string
	Before     map[string]string
	Meant      map[string]string
	ChangedAt  time.Time
	RestoredAt *time.Time
	Deviation  string // why it could not be put back exactly; empty = it was
}

// Page is one upgrade's part of the book: what must be on record before an
// effect happens on a host. Every write checks the lease and the generation in
// its own transaction; an error means that the effect must not happen.
type Page struct {
	Lease      Lease
	Upgrade    int64
	Rollout    int64
	Generation int64
	Host       int64
	Wave       int
	Server     string
	Step       string
	Runbook    rollout.Runbook // by which the upgrade goes
}

// ErrNotApproved says that what a step without return would do now is not what
// was approved. It is a conflict that ends when the wave is approved again or
// what changed is changed back.
var ErrNotApproved = errors.New("not approved")

// Intend records what is about to be started or changed on the host. In a step
// from which there is no way back, or that runs what is not begun twice, the
// approval must still fit at that moment.
func (s *Store) Intend(ctx context.Context, p Page, what string) error {
	if err := s.onPage(ctx, p, func(t *txn) error {
		if err := t.stillApproved(ctx, p); err != nil {
			return err
		}
		return t.appendEvent(ctx, p.event(EventIntent, what, nil))
	}); err != nil {
		return fmt.Errorf("record the intent on %s: %w", p.Server, err)
	}
	return nil
}

// OpenLedger records the state found before a change. While an entry of the
// same kind and name is open its id is returned and its Before kept, so that a
// repeated tick does not take the changed state for the original one; keys that
// it did not have are added.
func (s *Store) OpenLedger(ctx context.Context, p Page, e LedgerEntry) (int64, error) {
	var id int64
	err := s.onPage(ctx, p, func(t *txn) error {
		open, err := t.q.OpenLedgerEntry(ctx, db.OpenLedgerEntryParams{UpgradeID: p.Upgrade, HostID: p.Host, Kind: e.Kind, Name: e.Name})
		if err == nil {
			id = open
			return t.learnLedger(ctx, p, id, e)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		before, err := json.Marshal(e.Before)
		if err != nil {
			return err
		}
		meant, err := json.Marshal(e.Meant)
		if err != nil {
			return err
		}
		id, err = t.q.InsertLedger(ctx, db.InsertLedgerParams{
			UpgradeID: p.Upgrade, HostID: p.Host, Kind: e.Kind, Name: e.Name, Before: before, Meant: meant,
		})
		if err != nil {
			return err
		}
		return t.appendEvent(ctx, p.event(EventChanged, LedgerThing(e.Kind, e.Name)+" is changed for a while",
			map[string]any{"kind": e.Kind, "name": e.Name, "before": e.Before, "meant": e.Meant}))
	})
	if err != nil {
		return 0, fmt.Errorf("open ledger entry %s %s on %s: %w", e.Kind, e.Name, p.Server, err)
	}
	return id, nil
}

// LedgerThing names what a ledger entry is about in the words of pages and events.
// The name of an entry about the revocation check is S-1-5-18 or "run-as".
func LedgerThing(kind, name string) string {
	switch {
	case kind == "service":
		return "Service " + name
	case kind == "revocation" && name == "S-1-5-18":
		return "Certificate revocation check of the system account"
	case kind == "settings":
		return "Settings of " + name + " that Setup resets"
	case kind == "cms":
		return "Clustered mailbox server " + name
	case kind == "hook":
		return "Place in the load balancer, by hooks"
	case kind == "revocation":
		return "Certificate revocation check of the " + name + " account"
	default:
		return kind + " " + name
	}
}

// learnLedger adds to an open entry what was not known of the state before.
func (t *txn) learnLedger(ctx context.Context, p Page, id int64, e LedgerEntry) error {
	found, err := json.Marshal(e.Before)
	if err != nil {
		return err
	}
	n, err := t.q.LearnLedger(ctx, db.LearnLedgerParams{Found: found, ID: id})
	if err != nil || n == 0 {
		return err
	}
	return t.appendEvent(ctx, p.event(EventChanged, LedgerThing(e.Kind, e.Name)+": the state before the change is known",
		map[string]any{"kind": e.Kind, "name": e.Name, "before": e.Before, "meant": e.Meant}))
}

// CloseLedger records that a change was put back; deviation says what could
// not be, or is empty. An entry that is closed already stays as it is.
func (s *Store) CloseLedger(ctx context.Context, p Page, id int64, deviation string) error {
	err := s.onPage(ctx, p, func(t *txn) error {
		row, err := t.q.RestoreLedger(ctx, db.RestoreLedgerParams{Deviation: deviation, ID: id, UpgradeID: p.Upgrade})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		text := LedgerThing(row.Kind, row.Name) + " is put back"
		if deviation != "" {
			text = LedgerThing(row.Kind, row.Name) + " is not as it was: " + deviation
		}
		return t.appendEvent(ctx, p.event(EventRestored, text, map[string]any{"kind": row.Kind, "name": row.Name, "deviation": deviation}))
	})
	if err != nil {
		return fmt.Errorf("close ledger entry %d on %s: %w", id, p.Server, err)
	}
	return nil
}

// onPage runs f in a transaction that holds the lease and finds the upgrade in
// work under the page's generation.
func (s *Store) onPage(ctx context.Context, p Page, f func(*txn) error) error {
	return s.inTx(ctx, func(t *txn) error {
		if _, err := t.q.LockRollout(ctx, p.Rollout); err != nil {
			return err
		}
		if err := t.hold(ctx, p.Lease); err != nil {
			return err
		}
		up, err := t.q.LockUpgrade(ctx, p.Upgrade)
		if err != nil {
			return err
		}
		if up.Generation != p.Generation || !inWork(rollout.State(up.State)) {
			return overtaken("the upgrade of %s moved on meanwhile", p.Server)
		}
		if err := f(t); err != nil {
			return err
		}
		return t.ring(ctx, "rollout", p.Rollout)
	})
}

// stillApproved compares the approval with the rows of this transaction when the
// page's step has no return or is not repeatable. A step that the runbook does not have may have none.
func (t *txn) stillApproved(ctx context.Context, p Page) error {
	for _, step := range p.Runbook.Steps {
		if step.Name == p.Step && !step.NoReturn && step.Repeatable {
			return nil // what runs a Setup that is not begun twice is asked, too: language packs taken out do not come back
		}
	}
	if step, ok := p.Runbook.Decision(p.Step); ok && !step.NoReturn {
		return nil // a named person decided it
	}
	r, err := t.q.RolloutByID(ctx, p.Rollout)
	if err != nil {
		return fmt.Errorf("load rollout: %w", err)
	}
	server, err := t.q.ServerOfUpgrade(ctx, p.Upgrade)
	if err != nil {
		return fmt.Errorf("load server: %w", err)
	}
	fits, err := t.matchApprovals(ctx, r, p.Runbook, server)
	if err != nil {
		return err
	}
	for _, f := range fits {
		if f.server == server && f.match == rollout.ApprovalMatching {
			return nil
		}
		if len(f.changed) > 0 {
			return fmt.Errorf("%w: %w", ErrNotApproved, rollout.Conflict(
				"what was approved for %s is not what would run: %s; approve the wave again, or change it back", p.Server, strings.Join(f.changed, "; ")))
		}
	}
	return fmt.Errorf("%w: %w", ErrNotApproved, rollout.Conflict("no approval of %s stands", p.Server))
}

func (p Page) event(kind, text string, data map[string]any) Event {
	return Event{Rollout: p.Rollout, Kind: kind, Wave: p.Wave, Server: p.Server, Step: p.Step, Text: text, Data: data}
}

// inWork reports whether ticks move an upgrade in this state.
func inWork(s rollout.State) bool { return s == rollout.Running || s == rollout.OutOfSight }

func ledgerOf(id int64, host, kind, name string, before, meant json.RawMessage, at time.Time, restored *time.Time, deviation string) (LedgerEntry, error) {
	e := LedgerEntry{ID: id, Host: host, Kind: kind, Name: name, ChangedAt: at, RestoredAt: restored, Deviation: deviation}
	if err := json.Unmarshal(before, &e.Before); err != nil {
		return e, fmt.Errorf("read ledger entry %d: %w", id, err)
	}
	if err := json.Unmarshal(meant, &e.Meant); err != nil {
		return e, fmt.Errorf("read ledger entry %d: %w", id, err)
	}
	return e, nil
}
