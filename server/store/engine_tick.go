package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// TickSave is everything that one tick changes. It is saved in one transaction
// that checks the lease, the generation and the states it began with.
type TickSave struct {
	Upgrade    int64
	Rollout    int64
	Generation int64
	Wave       int
	Server     string
	ServerID   int64
	Host       int64

	From, To  rollout.State // of the upgrade
	Unwinding bool
	Message   string // for people
	Remedy    string
	Phase     string
	Percent   int
	Build     string    // lowest build configured, when it was read; empty = not read
	DueAt     time.Time // zero = no tick comes
	Heard     bool      // the host answered

	Step             string // the step that the tick worked on
	StepFrom, StepTo rollout.State
	StepMessage      string
	Memory           map[string]string
	Next             string // the step that begins now; empty = none
	Show             string // the step that the upgrade's row names afterwards

	Log      []string // new lines of the setup log, redacted
	Findings []Finding
	Facts    []Fact
	Events   []Event // their rollout, wave and server are filled in
}

// Finding is what one rule found on a server.
type Finding struct {
	Rule     string
	Severity string // blocker, warning, info or pass
	Evidence string
	Remedy   string
	At       time.Time
}

// Fact is one thing learned about a host: its value as JSON, the source, the time.
type Fact struct {
	Name   string
	Value  json.RawMessage
	Source string
	At     time.Time
}

// SaveTick writes what a tick did. ErrLeaseLost or a conflict means that
// nothing was written.
func (s *Store) SaveTick(ctx context.Context, lease Lease, k TickSave) error {
	err := s.inTx(ctx, func(t *txn) error {
		if _, err := t.q.LockRollout(ctx, k.Rollout); err != nil {
			return fmt.Errorf("lock rollout %d: %w", k.Rollout, err)
		}
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		if err := t.saveTickRows(ctx, k); err != nil {
			return err
		}
		if err := t.saveTickFinds(ctx, k); err != nil {
			return err
		}
		for _, e := range k.Events {
			e.Rollout, e.Wave, e.Server = k.Rollout, k.Wave, k.Server
			if err := t.appendEvent(ctx, e); err != nil {
				return err
			}
		}
		if k.From != k.To {
			if err := t.requestAdvance(ctx, k.Rollout); err != nil {
				return err
			}
		}
		if err := t.ring(ctx, "upgrade", k.Upgrade); err != nil {
			return err
		}
		return t.ring(ctx, "rollout", k.Rollout)
	})
	if err != nil {
		return fmt.Errorf("save tick of upgrade %d: %w", k.Upgrade, err)
	}
	return nil
}

func (t *txn) saveTickRows(ctx context.Context, k TickSave) error {
	memory, err := json.Marshal(k.Memory)
	if err != nil {
		return fmt.Errorf("encode memory: %w", err)
	}
	if len(k.Memory) == 0 {
		memory = []byte("{}")
	}
	n, err := t.q.SaveStep(ctx, db.SaveStepParams{
		ToState: string(k.StepTo), Memory: memory, Message: k.StepMessage,
		UpgradeID: k.Upgrade, Name: k.Step, FromState: string(k.StepFrom),
	})
	if err != nil {
		return fmt.Errorf("save step %s: %w", k.Step, err)
	}
	if n == 0 {
		return rollout.Conflict("step %s of %s moved on meanwhile", k.Step, k.Server)
	}
	if k.Next != "" {
		if n, err = t.q.BeginStep(ctx, db.BeginStepParams{UpgradeID: k.Upgrade, Name: k.Next}); err != nil {
			return fmt.Errorf("begin step %s: %w", k.Next, err)
		}
		if n == 0 {
			return rollout.Conflict("step %s of %s does not wait any more", k.Next, k.Server)
		}
	}
	var due *time.Time
	if !k.DueAt.IsZero() {
		due = &k.DueAt
	}
	n, err = t.q.SaveUpgrade(ctx, db.SaveUpgradeParams{
		ToState: string(k.To), Step: k.Show, Message: k.Message, Remedy: k.Remedy, Unwinding: k.Unwinding,
		Build: k.Build, DueAt: due, Percent: k.Percent, Phase: k.Phase, Heard: k.Heard,
		ID: k.Upgrade, FromState: string(k.From), Generation: k.Generation,
	})
	if err != nil {
		return fmt.Errorf("save upgrade: %w", err)
	}
	if n == 0 {
		return rollout.Conflict("the upgrade of %s moved on meanwhile", k.Server)
	}
	return nil
}

// saveTickFinds writes what the tick learned: log lines, findings, facts.
func (t *txn) saveTickFinds(ctx context.Context, k TickSave) error {
	if len(k.Log) > 0 {
		last, err := t.q.LastSetupLogLine(ctx, k.Upgrade)
		if err != nil {
			return fmt.Errorf("find the end of the setup log: %w", err)
		}
		lines := make([]db.InsertSetupLogParams, 0, len(k.Log))
		for i, text := range k.Log {
			lines = append(lines, db.InsertSetupLogParams{UpgradeID: k.Upgrade, Line: last + int64(i) + 1, Text: text})
		}
		if _, err := t.q.InsertSetupLog(ctx, lines); err != nil {
			return fmt.Errorf("write setup log: %w", err)
		}
	}
	for _, f := range k.Findings {
		if err := t.q.SetFinding(ctx, db.SetFindingParams{
			UpgradeID: k.Upgrade, Rule: f.Rule, Severity: f.Severity, Evidence: f.Evidence, Remedy: f.Remedy,
		}); err != nil {
			return fmt.Errorf("write finding %s: %w", f.Rule, err)
		}
	}
	if len(k.Facts) > 0 {
		if err := t.saveFacts(ctx, k.Host, k.Facts); err != nil {
			return err
		}
	}
	if k.To == rollout.Done && k.Build != "" {
		if err := t.q.SetServerBuild(ctx, db.SetServerBuildParams{Build: k.Build, ID: k.ServerID}); err != nil {
			return fmt.Errorf("save build of %s: %w", k.Server, err)
		}
	}
	return nil
}
