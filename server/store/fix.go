package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The states of a fix.
const (
	FixAsked    = "asked"
	FixRefused  = "refused"
	FixApproved = "approved" // it runs, or waits for its host
	FixDone     = "done"
	FixFailed   = "failed"
	FixUndoing  = "undoing"
	FixUndone   = "undone"
)

// Fix is a safe and reversible repair of one host: asked for by one person and
// approved by another. Name is that of its runbook.
type Fix struct {
	ID        int64
	Name      string
	ServerID  int64
	Server    string
	HostID    int64
	Host      string
	Rule      string            // whose finding it answers
	Choice    map[string]string // what the person chose to have done
	State     string
	Reason    string
	AskedBy   string
	AskedByID int64 // 0 = the command line
	AskedAt   time.Time
	DecidedBy string
	DecidedAt *time.Time
	Decision  string // the reason of whoever decided
	UndoneBy  string
	Message   string
	EndedAt   *time.Time
	Changes   []FixChange
}

// FixChange is one thing that a fix changed, with the state found before.
type FixChange struct {
	ID         int64
	Kind, Name string
	Before     map[string]string
	Meant      map[string]string
	ChangedAt  time.Time
	RestoredAt *time.Time
	Deviation  string // why it could not be put back exactly; empty = it was
}

// Undoable reports whether the fix changed something that is not put back.
func (f Fix) Undoable() bool {
	if f.State != FixDone && f.State != FixFailed {
		return false
	}
	for _, c := range f.Changes {
		if c.RestoredAt == nil {
			return true
		}
	}
	return false
}

// FixByID returns one fix with what it changed.
func (s *Store) FixByID(ctx context.Context, id int64) (Fix, error) {
	r, err := s.q.FixByID(ctx, id)
	if err != nil {
		return Fix{}, fmt.Errorf("load fix %d: %w", id, missing(err, "There is no fix %d.", id))
	}
	all, err := s.fixes(ctx, []db.FixesRow{db.FixesRow(r)})
	if err != nil {
		return Fix{}, err
	}
	return all[0], nil
}

// Fixes returns fixes with what they changed, newest first; server 0 = all.
// Without past only those that wait or run.
func (s *Store) Fixes(ctx context.Context, server int64, past bool) ([]Fix, error) {
	rows, err := s.q.Fixes(ctx, db.FixesParams{ServerID: server, Past: past})
	if err != nil {
		return nil, fmt.Errorf("load fixes: %w", err)
	}
	return s.fixes(ctx, rows)
}

func (s *Store) fixes(ctx context.Context, rows []db.FixesRow) ([]Fix, error) {
	all := make([]Fix, 0, len(rows))
	ids := make([]int64, 0, len(rows))
	place := map[int64]int{}
	for _, r := range rows {
		f := Fix{
			ID: r.ID, Name: r.Name, ServerID: r.ServerID, Server: r.Server, HostID: r.HostID, Host: r.Host, Rule: r.Rule, State: r.State, Reason: r.Reason,
			AskedBy: r.AskedBy, AskedByID: orZero(r.AskedByID), AskedAt: r.AskedAt, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt, Decision: r.Decision,
			UndoneBy: r.UndoneBy, Message: r.Message, EndedAt: r.EndedAt,
		}
		if err := json.Unmarshal(r.Choice, &f.Choice); err != nil {
			return nil, fmt.Errorf("read the choice of fix %d: %w", r.ID, err)
		}
		place[r.ID] = len(all)
		all, ids = append(all, f), append(ids, r.ID)
	}
	changes, err := s.q.FixChanges(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load what fixes changed: %w", err)
	}
	for _, c := range changes {
		one := FixChange{ID: c.ID, Kind: c.Kind, Name: c.Name, ChangedAt: c.ChangedAt, RestoredAt: c.RestoredAt, Deviation: c.Deviation}
		if err := json.Unmarshal(c.Before, &one.Before); err != nil {
			return nil, fmt.Errorf("read change %d: %w", c.ID, err)
		}
		if err := json.Unmarshal(c.Meant, &one.Meant); err != nil {
			return nil, fmt.Errorf("read change %d: %w", c.ID, err)
		}
		f := &all[place[c.FixID]]
		f.Changes = append(f.Changes, one)
	}
	return all, nil
}

// FixAsk is a wish that a host be repaired.
type FixAsk struct {
	Name   string // of the fix, which is known to the caller
	Server int64
	Host   int64
	Rule   string
	Choice map[string]string
	Reason string
}

// AskFix asks for a fix. It does nothing before another person approves it.
func (s *Store) AskFix(ctx context.Context, actor Actor, ask FixAsk) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if ask.Reason = strings.TrimSpace(ask.Reason); ask.Reason == "" {
			return rollout.Invalid("Say why it is to be done: the reason is kept on record.")
		}
		if ask.Name == "" {
			return rollout.Invalid("Say which fix.")
		}
		choice := []byte("{}")
		if len(ask.Choice) > 0 {
			var err error
			if choice, err = json.Marshal(ask.Choice); err != nil {
				return err
			}
		}
		var err error
		id, err = t.q.InsertFix(ctx, db.InsertFixParams{
			Name: ask.Name, ServerID: ask.Server, HostID: ask.Host, Rule: ask.Rule, Choice: choice, Reason: ask.Reason,
			AskedBy: actor.Name, AskedByID: actingPerson(actor),
		})
		if err != nil {
			return err
		}
		f, err := t.q.LockFix(ctx, id)
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "fix.ask", Subject: fixSubject(f), Reason: ask.Reason, Detail: map[string]any{"fix": id, "rule": ask.Rule, "choice": string(choice)},
		})
		return t.ring(ctx, "fix", id)
	})
	if err != nil {
		return 0, fmt.Errorf("ask for fix %s: %w", ask.Name, err)
	}
	return id, nil
}

// DecideFix approves or refuses a fix. Who asked for it may not approve it. An
// approved one runs as soon as its host is free.
func (s *Store) DecideFix(ctx context.Context, actor Actor, id int64, approve bool, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.decides(ctx, actor, "A fix is approved", reason); err != nil {
			return err
		}
		f, err := t.q.LockFix(ctx, id)
		if err != nil {
			return missing(err, "There is no fix %d.", id)
		}
		if approve && f.AskedByID == nil {
			return rollout.Conflict("Nobody with an account asked for this fix, and so nobody can say that two people agree: refuse it, and have a person ask.")
		}
		if approve && *f.AskedByID == actor.PersonID {
			return ownWork("You asked for this fix: somebody else has to approve it.")
		}
		to, what := FixRefused, "fix.refuse"
		if approve {
			to, what = FixApproved, "fix.approve"
		}
		n, err := t.q.DecideFix(ctx, db.DecideFixParams{ToState: to, DecidedBy: actor.Name, DecidedByID: actingPerson(actor), Decision: reason, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("Fix %d does not wait for a decision any more.", id)
		}
		t.record(actor, Record{What: what, Subject: fixSubject(f), Reason: reason, Detail: map[string]any{"fix": id}})
		if approve {
			if err := t.runFix(ctx, f, RunFix, actor.Name, reason); err != nil {
				return err
			}
		}
		return t.ring(ctx, "fix", id)
	})
	if err != nil {
		return fmt.Errorf("decide fix %d: %w", id, err)
	}
	return nil
}

// UndoFix has put back what a fix changed.
func (s *Store) UndoFix(ctx context.Context, actor Actor, id int64, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why it is undone: the reason is kept on record.")
		}
		f, err := t.q.LockFix(ctx, id)
		if err != nil {
			return missing(err, "There is no fix %d.", id)
		}
		n, err := t.q.UndoFix(ctx, db.UndoFixParams{UndoneBy: actor.Name, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("Fix %d has nothing to undo.", id)
		}
		t.record(actor, Record{What: "fix.undo", Subject: fixSubject(f), Reason: reason, Detail: map[string]any{"fix": id}})
		if err := t.runFix(ctx, f, RunUndo, actor.Name, reason); err != nil {
			return err
		}
		return t.ring(ctx, "fix", id)
	})
	if err != nil {
		return fmt.Errorf("undo fix %d: %w", id, err)
	}
	return nil
}

// runFix inserts the run that does or undoes a fix.
func (t *txn) runFix(ctx context.Context, f db.LockFixRow, kind, by, reason string) error {
	book := f.Name
	if kind == RunUndo {
		book = UndoBook(f.Name)
	}
	r, err := t.q.InsertRun(ctx, db.InsertRunParams{
		Kind: kind, Runbook: book, HostID: f.HostID, ServerID: f.ServerID, FixID: &f.ID, AskedBy: by, Reason: reason,
	})
	if err != nil {
		return missing(err, "Fix %d is in work already.", f.ID)
	}
	return t.s.insertJobs(ctx, t.tx, RunTick{Run: r.ID, Generation: r.Generation})
}

// UndoBook is the name of the runbook that undoes a fix.
func UndoBook(fix string) string { return "undo-" + fix }

// fixEnded says what became of a fix whose run has ended.
func (t *txn) fixEnded(ctx context.Context, row db.RunByIDRow, k RunSave) error {
	to := FixFailed
	switch {
	case k.To == rollout.Done && row.Kind == RunUndo:
		to = FixUndone
	case k.To == rollout.Done:
		to = FixDone
	}
	if _, err := t.q.EndFix(ctx, db.EndFixParams{ToState: to, Message: k.Message, ID: *row.FixID}); err != nil {
		return fmt.Errorf("end fix %d: %w", *row.FixID, err)
	}
	return t.ring(ctx, "fix", *row.FixID)
}

func fixSubject(f db.LockFixRow) string { return f.Host + " " + f.Name }

const fixesInWork = `
SELECT s.name, r.kind, f.name, h.name
FROM host_run r
JOIN fix f ON f.id = r.fix_id
JOIN host h ON h.id = r.host_id
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
WHERE r.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')
ORDER BY r.id`

// fixing says by server which fix, or undoing of one, is in work on one of its
// hosts: what it began is not left half done by an upgrade.
func (t *txn) fixing(ctx context.Context) (map[string]string, error) {
	rows, err := t.tx.Query(ctx, fixesInWork)
	if err != nil {
		return nil, fmt.Errorf("load fixes in work: %w", err)
	}
	by := map[string]string{}
	var server, kind, name, host string
	_, err = pgx.ForEachRow(rows, []any{&server, &kind, &name, &host}, func() error {
		what := "fix "
		if kind == RunUndo {
			what = "the undoing of fix "
		}
		by[server] = what + name + " on " + host
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load fixes in work: %w", err)
	}
	return by, nil
}
