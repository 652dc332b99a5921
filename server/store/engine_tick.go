package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	Kind      rollout.PlanKind
	Hooked    bool   // a hook of the user's failed: the wave's threshold does not count it
	Message   string // for people
	Remedy    string
	Phase     string
	Percent   int
	Build     string    // lowest build configured, when it was read; empty = not read
	DueAt     time.Time // zero = no tick comes
	Heard     bool      // the host answered

	Step             string // the step that the tick worked on
	Node             string // the host that it worked on; "" = none
	StepFrom, StepTo rollout.State
	StepMessage      string
	Memory           map[string]string
	Next             string // the step that begins now; empty = none
	Show             string // the step that the upgrade's row names afterwards

	LimitsFrom time.Time // the step's limits count from here, later than before; zero = as before

	Decided bool // the decision step ended: none is in work any more; Step is that of the decision
	Output  bool // something new came: output_at is now
	Soft    bool // the step's soft limit has just passed: soft_at is now
	Silent  bool // the step has just been silent for too long: silent_at is now

	Staging *StagingSave // of the medium that the step brings to the host; nil = none

	Evidence []Evidence // read from the host in this tick, redacted

	Log      []string // new lines of the setup log, redacted
	Findings []Finding
	Facts    []Fact
	Events   []Event // their rollout, wave and server are filled in
}

// Finding is what one rule found on a server.
type Finding struct {
	Node     string // of a cluster: the host that was judged
	Waived   bool   // a person accepted it, on the record
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

// Evidence is one thing read from a host, kept as it was then: at most 1 MB.
// Kinds: roles, processes, sessions, tasks, folder, log-tail, registry, events.
type Evidence struct {
	Kind, Name string
	Data       []byte
}

// ErrOvertaken says that the upgrade moved on while a tick worked: another tick,
// or a person, was faster. It is a conflict, and nothing was written.
var ErrOvertaken = errors.New("overtaken")

func overtaken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrOvertaken, rollout.Conflict(format, args...))
}

// SaveTick writes what a tick did. ErrLeaseLost or ErrOvertaken means that
// nothing was written. A move that the state tables do not have is refused.
func (s *Store) SaveTick(ctx context.Context, lease Lease, k TickSave) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := allowed(k); err != nil {
			return err
		}
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
		if k.Staging != nil {
			if _, err := t.saveStaging(ctx, *k.Staging); err != nil {
				return err
			}
		}
		for _, e := range k.Events {
			e.Rollout, e.Wave, e.Server = k.Rollout, k.Wave, k.Server
			if err := t.appendEvent(ctx, e); err != nil {
				return err
			}
		}
		if err := t.prepares(ctx, k); err != nil {
			return err
		}
		if k.To == rollout.Done || k.To == rollout.Skipped {
			if err := t.settled(ctx, k); err != nil {
				return err
			}
		}
		if k.From != k.To || k.StepTo == rollout.Failed {
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

// allowed asks the state tables. Who breaks them made a mistake in this program:
// it is no conflict that passes by itself.
func allowed(k TickSave) error {
	for _, move := range [][2]rollout.State{{k.From, k.To}, {k.StepFrom, k.StepTo}} {
		if err := rollout.Ticked(move[0], move[1]); err != nil {
			return fmt.Errorf("step %s of %s: %w", k.Step, k.Server, err)
		}
	}
	return nil
}

// settled is the end of an upgrade: nothing of it is left to be put back, and
// what may still lie on its hosts is looked for once more.
func (t *txn) settled(ctx context.Context, k TickSave) error {
	open, err := t.q.OpenLedger(ctx, k.Upgrade)
	if err != nil {
		return fmt.Errorf("load ledger: %w", err)
	}
	if len(open) > 0 {
		return rollout.Conflict("%s cannot be %s: %s is not put back", k.Server, k.To, LedgerThing(open[0].Kind, open[0].Name))
	}
	return t.askSweep(ctx, k.ServerID)
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
		UpgradeID: k.Upgrade, Name: k.Step, FromState: string(k.StepFrom), Soft: k.Soft, Silent: k.Silent, LimitsFrom: momentOf(k.LimitsFrom), Node: k.Node,
	})
	if err != nil {
		return fmt.Errorf("save step %s: %w", k.Step, err)
	}
	if n == 0 {
		return overtaken("step %s of %s moved on meanwhile", k.Step, k.Server)
	}
	if k.Next != "" {
		if n, err = t.q.BeginStep(ctx, db.BeginStepParams{UpgradeID: k.Upgrade, Name: k.Next}); err != nil {
			return fmt.Errorf("begin step %s: %w", k.Next, err)
		}
		if n == 0 {
			return overtaken("step %s of %s does not wait any more", k.Next, k.Server)
		}
	}
	n, err = t.q.SaveUpgrade(ctx, db.SaveUpgradeParams{
		ToState: string(k.To), Step: k.Show, Message: k.Message, Remedy: k.Remedy, Unwinding: k.Unwinding, Hooked: k.Hooked,
		Build: k.Build, DueAt: momentOf(k.DueAt), PauseSeconds: longestPause.Seconds(), Percent: k.Percent, Phase: k.Phase, Heard: k.Heard,
		Decided: k.Decided, Output: k.Output, ID: k.Upgrade, FromState: string(k.From), Generation: k.Generation,
	})
	if err != nil {
		return fmt.Errorf("save upgrade: %w", err)
	}
	if n == 0 {
		return overtaken("the upgrade of %s moved on meanwhile", k.Server)
	}
	return nil
}

// momentOf is a moment as a column that may be empty holds it.
func momentOf(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
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
	if err := t.saveEvidence(ctx, k); err != nil {
		return err
	}
	for _, f := range k.Findings {
		if err := t.q.SetFinding(ctx, db.SetFindingParams{
			UpgradeID: k.Upgrade, Node: f.Node, Waived: f.Waived, Rule: f.Rule, Severity: f.Severity, Evidence: f.Evidence, Remedy: f.Remedy,
		}); err != nil {
			return fmt.Errorf("write finding %s: %w", f.Rule, err)
		}
	}
	// The server before its hosts, as an import locks them.
	if k.To == rollout.Done && k.Build != "" && k.Kind == rollout.OfServers {
		if err := t.q.SetServerBuild(ctx, db.SetServerBuildParams{Build: k.Build, ID: k.ServerID}); err != nil {
			return fmt.Errorf("save build of %s: %w", k.Server, err)
		}
	}
	// What was learned of the organization is no fact of the host.
	if facts := slices.DeleteFunc(slices.Clone(k.Facts), organizationFact); len(facts) > 0 {
		return t.saveFacts(ctx, k.Host, facts)
	}
	return nil
}
