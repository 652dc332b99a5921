package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// RolloutRow is a rollout in a list.
type RolloutRow struct {
	ID          int64
	State       rollout.RolloutState
	Plan        int64
	PlanName    string
	Revision    int
	Hash        string
	Kind        rollout.PlanKind
	Package     string
	Then        string // the second package; "" = none
	CreatedAt   time.Time
	StartedAt   *time.Time
	EndedAt     *time.Time
	PausedBy    string
	PauseReason string
	StopReason  string
	Servers     int
	Done        int
	Running     int // also paused and out of sight
	Failed      int // also interrupted and unknown: a person decides
}

// RolloutView is one rollout with all that its page shows.
type RolloutView struct {
	RolloutRow
	RevisionID int64
	LastEvent  int64
	AuthorID   int64
	Submitter  int64
	Content    rollout.Plan
	Waves      []WaveView
	At         time.Time // of the reading, the database's time
}

// WaveView is a wave with its servers.
type WaveView struct {
	ID             int64
	Number         int
	Name           string
	State          rollout.WaveState
	StartedAt      *time.Time
	EndedAt        *time.Time
	StopReason     string
	ApprovedBy     string // empty = no standing approval
	ApprovalReason string
	ApprovedAt     *time.Time
	ApprovedHash   string
	Upgrades       []UpgradeRow
}

// UpgradeRow is one server's way in a rollout, as a list shows it.
type UpgradeRow struct {
	ID          int64
	Wave        int
	ServerID    int64
	Server      string
	FQDN        string
	Roles       []exchange.Role
	Site        string
	State       rollout.State
	Runbook     string // the name of the one by which it goes
	Step        string
	Attempt     int // of the present step
	Reasons     []rollout.Reason
	Message     string
	Remedy      string
	Unwinding   bool
	Repaired    bool
	Build       string
	StartedAt   *time.Time
	EndedAt     *time.Time
	VerifiedAt  *time.Time
	LastHeardAt *time.Time
	Percent     int
	Phase       string
	Steps       []StepWork    // position, name, attempt, state and times; without memory; those of decisions from position 10001
	Earlier     rollout.Times // what attempts before the present one add to its clocks

	Decision  string        // the decision step in work; "" = none
	Returns   rollout.State // where the upgrade goes when that step has ended
	DecidedBy string        // who decided last, by name
	OutputAt  *time.Time    // when it last produced something new
}

// UpgradeView is one upgrade with all that its page shows.
type UpgradeView struct {
	UpgradeRow
	Rollout      int64
	RolloutState rollout.RolloutState
	WaveID       int64
	WaveState    rollout.WaveState
	PlanName     string
	Kind         rollout.PlanKind
	Package      string
	Then         string // the second package; "" = none
	RevisionHash string
	Findings     []Finding
	Ledger       []LedgerEntry // all entries, open and closed
}

// LogLine is one line of a setup log.
type LogLine struct {
	Line int64
	Text string
	At   time.Time // when it was read
}

// Rollouts returns the rollouts, the newest first.
func (s *Store) Rollouts(ctx context.Context, limit int) ([]RolloutRow, error) {
	rows, err := s.q.ListRollouts(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	out := make([]RolloutRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, RolloutRow{
			ID: r.ID, State: rollout.RolloutState(r.State), Plan: r.PlanID, PlanName: r.PlanName, Revision: r.RevisionNumber,
			Hash: r.RevisionHash, Kind: rollout.PlanKind(r.Kind), Package: r.Package, Then: r.ThenPackage, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt,
			PausedBy: r.PausedBy, PauseReason: r.PauseReason, StopReason: r.StopReason,
			Servers: int(r.Servers), Done: int(r.Done), Running: int(r.Running), Failed: int(r.Failed),
		})
	}
	return out, nil
}

// Rollout returns one rollout as its page shows it, read in one transaction.
func (s *Store) Rollout(ctx context.Context, id int64) (RolloutView, error) {
	var view RolloutView
	err := s.inTx(ctx, func(t *txn) error {
		// One snapshot of the database for all reads of the page.
		if _, err := t.tx.Exec(ctx, "SET TRANSACTION READ ONLY"); err != nil {
			return err
		}
		r, err := t.q.RolloutByID(ctx, id)
		if err != nil {
			return missing(err, "There is no such rollout.")
		}
		view = RolloutView{
			RolloutRow: RolloutRow{
				ID: r.ID, State: rollout.RolloutState(r.State), Plan: r.PlanID, PlanName: r.PlanName, Revision: r.RevisionNumber,
				Hash: r.RevisionHash, Kind: rollout.PlanKind(r.Kind), Package: r.Package, Then: r.ThenPackage, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt,
				PausedBy: r.PausedBy, PauseReason: r.PauseReason, StopReason: r.StopReason,
			},
			RevisionID: r.RevisionID, LastEvent: r.LastEvent, AuthorID: r.AuthorID, At: t.now,
		}
		if r.SubmittedBy != nil {
			view.Submitter = *r.SubmittedBy
		}
		if view.Content, err = rollout.ReadPlan([]byte(r.RevisionContent)); err != nil {
			return err
		}
		return t.fillWaves(ctx, &view)
	})
	if err != nil {
		return RolloutView{}, fmt.Errorf("load rollout %d: %w", id, err)
	}
	return view, nil
}

func (t *txn) fillWaves(ctx context.Context, view *RolloutView) error {
	waves, err := t.q.WavesOfRollout(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("load waves: %w", err)
	}
	upgrades, err := t.q.UpgradesOfRollout(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("load upgrades: %w", err)
	}
	steps, err := t.q.StepsOfRollout(ctx, view.ID)
	if err != nil {
		return fmt.Errorf("load steps: %w", err)
	}
	earlier, err := earlierTimes(ctx, t.q, view.ID, 0)
	if err != nil {
		return err
	}
	by := map[int64][]StepWork{}
	for _, st := range steps {
		by[st.UpgradeID] = append(by[st.UpgradeID], StepWork{
			Position: st.Position, Name: st.Name, Attempt: st.Attempt, State: rollout.State(st.State), StartedAt: st.StartedAt, EndedAt: st.EndedAt, Node: st.Node,
			LimitsFrom: st.LimitsFrom, SoftAt: st.SoftAt, SilentAt: st.SilentAt, Ran: st.Ran,
		})
	}
	index := map[int64]int{}
	for i, w := range waves {
		index[w.ID] = i
		view.Waves = append(view.Waves, WaveView{
			ID: w.ID, Number: w.Number, Name: w.Name, State: rollout.WaveState(w.State), StartedAt: w.StartedAt, EndedAt: w.EndedAt,
			StopReason: w.StopReason, ApprovedBy: w.ApprovedBy, ApprovalReason: w.ApprovalReason, ApprovedAt: w.ApprovedAt, ApprovedHash: w.ApprovedHash,
		})
	}
	for _, u := range upgrades {
		row := upgradeRow(db.UpgradeByIDRow{
			ID: u.ID, Wave: u.Wave, ServerID: u.ServerID, Server: u.Server, State: u.State, Step: u.Step, Reasons: u.Reasons, Message: u.Message,
			Remedy: u.Remedy, Unwinding: u.Unwinding, Repaired: u.Repaired, Build: u.Build, StartedAt: u.StartedAt, EndedAt: u.EndedAt,
			VerifiedAt: u.VerifiedAt, Percent: u.Percent, Phase: u.Phase, LastHeardAt: u.LastHeardAt, Fqdn: u.Fqdn, Roles: u.Roles, Site: u.Site,
			Decision: u.Decision, Returns: u.Returns, DecidedBy: u.DecidedBy, OutputAt: u.OutputAt, Runbook: u.Runbook,
		}, by[u.ID])
		row.Earlier = earlier[u.ID]
		wave := &view.Waves[index[u.WaveID]]
		wave.Upgrades = append(wave.Upgrades, row)
		view.Servers++
		switch {
		case row.State == rollout.Done:
			view.Done++
		case row.State.Broken():
			view.Failed++
		case row.State.InWork():
			view.Running++
		}
	}
	return nil
}

func upgradeRow(u db.UpgradeByIDRow, steps []StepWork) UpgradeRow {
	row := UpgradeRow{
		ID: u.ID, Wave: u.Wave, ServerID: u.ServerID, Server: u.Server, FQDN: u.Fqdn, Site: u.Site, State: rollout.State(u.State), Step: u.Step,
		Message: u.Message, Remedy: u.Remedy, Unwinding: u.Unwinding, Repaired: u.Repaired, Build: u.Build, StartedAt: u.StartedAt,
		EndedAt: u.EndedAt, VerifiedAt: u.VerifiedAt, LastHeardAt: u.LastHeardAt, Percent: u.Percent, Phase: u.Phase, Steps: steps, Attempt: 1,
		Decision: u.Decision, Returns: rollout.State(u.Returns), DecidedBy: u.DecidedBy, OutputAt: u.OutputAt, Runbook: u.Runbook,
	}
	for _, r := range u.Roles {
		row.Roles = append(row.Roles, exchange.Role(r))
	}
	for _, st := range steps {
		if st.Name == u.Step {
			row.Attempt = st.Attempt
		}
	}
	// Written by this package only; a row that does not decode has no reasons.
	_ = json.Unmarshal(u.Reasons, &row.Reasons)
	return row
}

// Upgrade returns one upgrade as its page shows it.
func (s *Store) Upgrade(ctx context.Context, id int64) (UpgradeView, error) {
	u, err := s.q.UpgradeByID(ctx, id)
	if err != nil {
		return UpgradeView{}, fmt.Errorf("load upgrade %d: %w", id, missing(err, "There is no such upgrade."))
	}
	steps, err := s.stepsOf(ctx, id)
	if err != nil {
		return UpgradeView{}, fmt.Errorf("load upgrade %d: %w", id, err)
	}
	view := UpgradeView{
		UpgradeRow: upgradeRow(u, steps), Rollout: u.RolloutID, RolloutState: rollout.RolloutState(u.RolloutState), WaveID: u.WaveID,
		WaveState: rollout.WaveState(u.WaveState), PlanName: u.PlanName, Kind: rollout.PlanKind(u.Kind), Package: u.Package, Then: u.ThenPackage, RevisionHash: u.RevisionHash,
	}
	earlier, err := earlierTimes(ctx, s.q, u.RolloutID, id)
	if err != nil {
		return UpgradeView{}, fmt.Errorf("load upgrade %d: %w", id, err)
	}
	view.Earlier = earlier[id]
	findings, err := s.q.FindingsOfUpgrade(ctx, id)
	if err != nil {
		return UpgradeView{}, fmt.Errorf("load findings of upgrade %d: %w", id, err)
	}
	for _, f := range findings {
		view.Findings = append(view.Findings, Finding{Node: f.Node, Waived: f.Waived, Rule: f.Rule, Severity: f.Severity, Evidence: f.Evidence, Remedy: f.Remedy, At: f.At})
	}
	ledger, err := s.q.LedgerOfUpgrade(ctx, id)
	if err != nil {
		return UpgradeView{}, fmt.Errorf("load ledger of upgrade %d: %w", id, err)
	}
	for _, l := range ledger {
		e, err := ledgerOf(l.ID, l.Host, l.Kind, l.Name, l.Before, l.Meant, l.ChangedAt, l.RestoredAt, l.Deviation)
		if err != nil {
			return UpgradeView{}, err
		}
		view.Ledger = append(view.Ledger, e)
	}
	return view, nil
}

// SetupLog returns at most limit lines after a line number, in order.
func (s *Store) SetupLog(ctx context.Context, upgrade, after int64, limit int) ([]LogLine, error) {
	rows, err := s.q.SetupLogAfter(ctx, db.SetupLogAfterParams{UpgradeID: upgrade, After: after, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load setup log of upgrade %d: %w", upgrade, err)
	}
	lines := make([]LogLine, 0, len(rows))
	for _, r := range rows {
		lines = append(lines, LogLine{Line: r.Line, Text: r.Text, At: r.At})
	}
	return lines, nil
}

// SetupLogTail returns the last lines of the setup log, in order.
func (s *Store) SetupLogTail(ctx context.Context, upgrade int64, limit int) ([]LogLine, error) {
	rows, err := s.q.SetupLogTail(ctx, db.SetupLogTailParams{UpgradeID: upgrade, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load the end of the setup log of upgrade %d: %w", upgrade, err)
	}
	lines := make([]LogLine, 0, len(rows))
	for _, r := range rows {
		lines = append(lines, LogLine{Line: r.Line, Text: r.Text, At: r.At})
	}
	return lines, nil
}
