package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The kinds of runs: short runbooks walked on one host outside upgrades.
const (
	RunCheck        = "check"        // preflight
	RunOrganization = "organization" // the organization is read on the host
	RunFix          = "fix"
	RunUndo         = "undo" // of a fix
)

// Run is one short runbook on its way on one host. Its states and moves are
// those of an upgrade.
type Run struct {
	ID         int64
	Kind       string
	Runbook    string
	Host       HostAddress
	ServerID   int64
	Server     string // of the host, the first by name
	Package    string // a check judges for it
	Batch      int64  // 0 = none
	Fix        int64  // 0 = none
	State      rollout.State
	Step       string // of the runbook; "" = not begun
	Ended      rollout.State
	Memory     map[string]string // of all its steps, by step and key
	Generation int64
	Message    string
	Remedy     string
	AskedBy    string
	Reason     string
	AskedAt    time.Time
	StartedAt  *time.Time
	JudgedAt   *time.Time // when it came to findings
	EndedAt    *time.Time
	Findings   []preflight.Finding // where they were asked for
}

// Open reports whether the run has not ended.
func (r Run) Open() bool {
	return r.State != rollout.Done && r.State != rollout.Skipped && r.State != rollout.Failed
}

// CheckBatch is several checks that were asked for at one time.
type CheckBatch struct {
	ID          int64
	Package     string
	AskedBy     string
	Reason      string
	AskedAt     time.Time
	CancelledAt *time.Time
	CancelledBy string
	Runs        int // hosts
	Over        int // of them, however they ended
	Skipped     int // were cancelled before they came to an end
	Failed      int // came to no findings
	InWork      int
}

// Open reports whether some check of the batch has not ended.
func (b CheckBatch) Open() bool { return b.Over < b.Runs }

// RunByID returns one run with its findings.
func (s *Store) RunByID(ctx context.Context, id int64) (Run, error) {
	r, err := s.q.RunByID(ctx, id)
	if err != nil {
		return Run{}, fmt.Errorf("load run %d: %w", id, missing(err, "There is no run %d.", id))
	}
	run, err := runOf(r)
	if err != nil {
		return Run{}, err
	}
	all := []Run{run}
	err = s.addFindings(ctx, all, true)
	return all[0], err
}

// LastChecks returns for each host the newest checks for a package, newest
// first, as many as are wanted of each, by the hosts' names; host 0 = all hosts,
// package "" = all packages. judged = only those that came to findings, with
// their findings.
func (s *Store) LastChecks(ctx context.Context, host int64, pkg string, judged bool, most int) ([]Run, error) {
	return s.lastRuns(ctx, db.LastRunsParams{Judged: judged, Most: int64(most), HostID: host, Kind: RunCheck, Package: pkg}, true)
}

// NewestChecks is the last check of each of the hosts for a package that came to
// findings, without what passed.
func (s *Store) NewestChecks(ctx context.Context, pkg string, hosts []string) ([]Run, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	return s.lastRuns(ctx, db.LastRunsParams{Judged: true, Most: 1, Kind: RunCheck, Package: pkg, Names: hosts}, false)
}

// LastRuns returns the newest runs of every kind on a host, without findings.
func (s *Store) LastRuns(ctx context.Context, host int64, most int) ([]Run, error) {
	return s.lastRuns(ctx, db.LastRunsParams{Most: int64(most), HostID: host}, false)
}

func (s *Store) lastRuns(ctx context.Context, by db.LastRunsParams, passes bool) ([]Run, error) {
	by.Names = list(by.Names)
	rows, err := s.q.LastRuns(ctx, by)
	if err != nil {
		return nil, fmt.Errorf("load the last runs: %w", err)
	}
	all := make([]Run, 0, len(rows))
	for _, r := range rows {
		all = append(all, lineOf(r))
	}
	if !by.Judged {
		return all, nil
	}
	return all, s.addFindings(ctx, all, passes)
}

// RunsOfBatch returns the checks of a batch with their findings, by host.
func (s *Store) RunsOfBatch(ctx context.Context, batch int64) ([]Run, error) {
	rows, err := s.q.RunsOfBatch(ctx, &batch)
	if err != nil {
		return nil, fmt.Errorf("load the checks of batch %d: %w", batch, err)
	}
	all := make([]Run, 0, len(rows))
	for _, r := range rows {
		all = append(all, lineOf(db.LastRunsRow(r)))
	}
	return all, s.addFindings(ctx, all, true)
}

// Batches returns the newest batches of checks.
func (s *Store) Batches(ctx context.Context, most int) ([]CheckBatch, error) {
	rows, err := s.q.Batches(ctx, int64(most))
	if err != nil {
		return nil, fmt.Errorf("load batches of checks: %w", err)
	}
	all := make([]CheckBatch, 0, len(rows))
	for _, r := range rows {
		all = append(all, CheckBatch{
			ID: r.ID, Package: r.Package, AskedBy: r.AskedBy, Reason: r.Reason, AskedAt: r.AskedAt, CancelledAt: r.CancelledAt,
			CancelledBy: r.CancelledBy, Runs: int(r.Runs), Over: int(r.Over), Skipped: int(r.Skipped), Failed: int(r.Failed), InWork: int(r.InWork),
		})
	}
	return all, nil
}

// addFindings fills in what the runs found, in the order of the rules.
func (s *Store) addFindings(ctx context.Context, runs []Run, passes bool) error {
	ids := make([]int64, 0, len(runs))
	at := make(map[int64]int, len(runs))
	for i, r := range runs {
		ids = append(ids, r.ID)
		at[r.ID] = i
	}
	rows, err := s.q.FindingsOfRuns(ctx, db.FindingsOfRunsParams{Runs: ids, Passes: passes})
	if err != nil {
		return fmt.Errorf("load findings: %w", err)
	}
	for _, r := range rows {
		run := &runs[at[r.RunID]]
		run.Findings = append(run.Findings, findingOf(r))
	}
	return nil
}

func findingOf(r db.CheckFinding) preflight.Finding {
	f := preflight.Finding{
		Rule: r.Rule, Severity: preflight.Severity(r.Severity), Text: r.Text, Evidence: r.Evidence, Remedy: r.Remedy, Source: r.Source,
		Unknown: r.Unread, Waivable: r.Waivable, Fix: r.Fix,
	}
	if r.FactsAt != nil {
		f.At = *r.FactsAt
	}
	return f
}

func lineOf(r db.LastRunsRow) Run {
	run := Run{
		ID: r.ID, Kind: r.Kind, Host: HostAddress{ID: r.HostID, Name: r.Host}, ServerID: r.ServerID, Server: r.Server, Package: r.Package,
		State: rollout.State(r.State), Step: r.Step, Ended: rollout.State(r.Ended), Message: r.Message, Remedy: r.Remedy, AskedBy: r.AskedBy,
		Reason: r.Reason, AskedAt: r.AskedAt, StartedAt: r.StartedAt, JudgedAt: r.JudgedAt, EndedAt: r.EndedAt,
	}
	run.Batch, run.Fix = orZero(r.BatchID), orZero(r.FixID)
	return run
}

func runOf(r db.RunByIDRow) (Run, error) {
	run := Run{
		ID: r.ID, Kind: r.Kind, Runbook: r.Runbook, Host: HostAddress{ID: r.HostID, Name: r.Host, Address: r.Address, Port: r.Port},
		ServerID: r.ServerID, Server: r.Server, Package: r.Package, Batch: orZero(r.BatchID), Fix: orZero(r.FixID),
		State: rollout.State(r.State), Step: r.Step, Ended: rollout.State(r.Ended), Generation: r.Generation, Message: r.Message, Remedy: r.Remedy,
		AskedBy: r.AskedBy, Reason: r.Reason, AskedAt: r.AskedAt, StartedAt: r.StartedAt, JudgedAt: r.JudgedAt, EndedAt: r.EndedAt,
	}
	if err := json.Unmarshal(r.Memory, &run.Memory); err != nil {
		return Run{}, fmt.Errorf("read the memory of run %d: %w", r.ID, err)
	}
	return run, nil
}

// orZero is a number of a row; 0 = none.
func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// LastOrganization is the newest reading of the organization, nil = there was none.
func (s *Store) LastOrganization(ctx context.Context) (*Run, error) {
	all, err := s.lastRuns(ctx, db.LastRunsParams{Most: 1, Kind: RunOrganization}, false)
	if err != nil {
		return nil, err
	}
	var newest *Run
	for i, r := range all {
		if newest == nil || r.ID > newest.ID {
			newest = &all[i]
		}
	}
	return newest, nil
}
