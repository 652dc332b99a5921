package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// LoadRun loads a run for a tick. It reports false when it has ended or the
// generation is not the row's: the tick ends without acting.
func (s *Store) LoadRun(ctx context.Context, id, generation int64) (Run, bool, error) {
	r, err := s.q.RunByID(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Run{}, false, nil
	}
	if err != nil {
		return Run{}, false, fmt.Errorf("load run %d: %w", id, err)
	}
	run, err := runOf(r)
	return run, run.Generation == generation && run.Open(), err
}

// BeginRun lets a run that waits begin, fenced by the lease on its host, where
// neither an upgrade nor a staging nor another run is in work there.
// ErrOvertaken says that it is not to begin any more, or not yet.
func (s *Store) BeginRun(ctx context.Context, lease Lease, id, generation int64) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		n, err := t.q.BeginRun(ctx, db.BeginRunParams{ID: id, Generation: generation})
		if err != nil {
			return err
		}
		if n == 0 {
			return overtaken("run %d does not wait any more, or its host is in work", id)
		}
		return t.ring(ctx, "run", id)
	})
	if err != nil {
		return fmt.Errorf("begin run %d: %w", id, err)
	}
	return nil
}

// RoomToRun reports whether another host may be run on, where most may at the
// same time.
func (s *Store) RoomToRun(ctx context.Context, most int) (bool, error) {
	n, err := s.q.RunsInWork(ctx)
	if err != nil {
		return false, fmt.Errorf("count runs in work: %w", err)
	}
	return n < int64(most), nil
}

// RunOnHost returns the kind of the run that is in work on a host, "" = none.
func (s *Store) RunOnHost(ctx context.Context, host int64) (string, error) {
	r, err := s.q.RunOnHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask what runs on host %d: %w", host, err)
	}
	return r.Kind, nil
}

// StagingOnHost reports whether media are on their way to a host just now.
func (s *Store) StagingOnHost(ctx context.Context, host int64) (bool, error) {
	_, err := s.q.StagingOnHost(ctx, host)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for media on their way to host %d: %w", host, err)
	}
	return true, nil
}

// RunSave is everything that one tick changes of a run. It is saved in one
// transaction that checks the lease, the generation and the state it began with.
type RunSave struct {
	Run        int64
	Generation int64
	From, To   rollout.State
	Step       string
	Ended      rollout.State // how it ends once nothing of it is left on the host
	Memory     map[string]string
	Message    string
	Remedy     string
	DueAt      time.Time // zero = as before
	Facts      []Fact    // learned about the host
	Judged     bool      // Findings are what it found
	Findings   []preflight.Finding

	Organization []OrganizationFact // Name, Value and At of what was read
}

// Save is what a tick begins with: nothing changed yet.
func (r Run) Save() RunSave {
	return RunSave{
		Run: r.ID, Generation: r.Generation, From: r.State, To: r.State, Step: r.Step, Ended: r.Ended, Memory: r.Memory, Message: r.Message, Remedy: r.Remedy,
	}
}

// SaveRun writes what a tick did. ErrLeaseLost or ErrOvertaken means that
// nothing was written. A move that the state tables do not have is refused. A
// run that ended ends its fix, and gives its place to one that waits.
func (s *Store) SaveRun(ctx context.Context, lease Lease, k RunSave) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		return t.saveRun(ctx, k)
	})
	if err != nil {
		return fmt.Errorf("save run %d: %w", k.Run, err)
	}
	return nil
}

func (t *txn) saveRun(ctx context.Context, k RunSave) error {
	if err := rollout.Ticked(k.From, k.To); err != nil {
		return fmt.Errorf("run %d: %w", k.Run, err)
	}
	row, err := t.q.RunByID(ctx, k.Run)
	if err != nil {
		return err
	}
	if len(k.Facts) > 0 { // rows of hosts come before those of runs
		if err := t.saveFacts(ctx, row.HostID, k.Facts); err != nil {
			return err
		}
	}
	memory := []byte("{}")
	if len(k.Memory) > 0 {
		if memory, err = json.Marshal(k.Memory); err != nil {
			return fmt.Errorf("encode memory: %w", err)
		}
	}
	n, err := t.q.SaveRun(ctx, db.SaveRunParams{
		ToState: string(k.To), Step: k.Step, Ended: string(k.Ended), Memory: memory, Message: k.Message, Remedy: k.Remedy,
		DueAt: momentOf(k.DueAt), Judged: k.Judged, ID: k.Run, FromState: string(k.From), Generation: k.Generation,
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return overtaken("run %d moved on meanwhile", k.Run)
	}
	for i, f := range k.Findings {
		if err := t.q.InsertFinding(ctx, db.InsertFindingParams{
			RunID: k.Run, Position: i, Rule: f.Rule, Severity: string(f.Severity), Text: f.Text, Evidence: f.Evidence, Remedy: f.Remedy, Source: f.Source,
			Waivable: f.Waivable, Fix: f.Fix, Unread: f.Unknown, FactsAt: momentOf(f.At),
		}); err != nil {
			return fmt.Errorf("keep finding %s: %w", f.Rule, err)
		}
	}
	for _, f := range k.Organization {
		if err := t.q.SetOrganizationFact(ctx, db.SetOrganizationFactParams{
			Name: f.Name, Value: f.Value, Source: "read on " + row.Host, At: momentOf(f.At), EnteredBy: row.AskedBy, Reason: row.Reason,
		}); err != nil {
			return fmt.Errorf("keep fact %s of the organization: %w", f.Name, err)
		}
	}
	if !inWork(k.To) {
		if err := t.runEnded(ctx, row, k); err != nil {
			return err
		}
	}
	if row.Kind == RunOrganization {
		if err := t.ring(ctx, "organization", 0); err != nil {
			return err
		}
	}
	if err := t.ring(ctx, "run", k.Run); err != nil {
		return err
	}
	return t.ring(ctx, "host", row.HostID)
}

// runEnded ends the fix of a run, and gives the run's place to one that waits.
func (t *txn) runEnded(ctx context.Context, row db.RunByIDRow, k RunSave) error {
	if row.FixID != nil {
		if err := t.fixEnded(ctx, row, k); err != nil {
			return err
		}
	}
	jobs, err := t.takeWaitingRuns(ctx, 1, 0)
	if err != nil {
		return err
	}
	return t.s.insertJobs(ctx, t.tx, jobs...)
}

// RunTarget is what a tick of a run needs to know beside the run.
type RunTarget struct {
	Servers      []Server // of the host: of a node all clustered mailbox servers, by name
	Package      Package  // of a check; SetupSHA256 "" = none is registered that fits the server
	Prepared     bool     // the organization is recorded as prepared for it
	Known        Known    // of the hosts, the organization and the fleet
	Fix          Fix      // of a run that does or undoes one
	Installation string
}

// workOf names a server and its hosts, for Known.
func workOf(one Server) UpgradeWork {
	w := UpgradeWork{ServerID: one.ID, Server: one.Server}
	for _, h := range one.Hosts {
		w.Hosts = append(w.Hosts, h.Asked())
	}
	return w
}

// RunTarget loads what a tick of the run needs.
func (s *Store) RunTarget(ctx context.Context, r Run) (RunTarget, error) {
	var out RunTarget
	names, err := s.q.ServersOnHost(ctx, r.Host.ID)
	if err != nil {
		return out, fmt.Errorf("load the servers of %s: %w", r.Host.Name, err)
	}
	for _, name := range names {
		one, err := s.ServerByName(ctx, name)
		if err != nil {
			return out, err
		}
		out.Servers = append(out.Servers, one)
	}
	if len(out.Servers) == 0 {
		return out, fmt.Errorf("load the servers of %s: %w", r.Host.Name, rollout.NotFound("No server is known on %s any more.", r.Host.Name))
	}
	if out.Installation, err = s.InstallationID(ctx); err != nil {
		return out, err
	}
	if out.Known, err = s.Known(ctx, workOf(out.Servers[0]), true); err != nil {
		return out, err
	}
	if r.Fix != 0 {
		if out.Fix, err = s.FixByID(ctx, r.Fix); err != nil {
			return out, err
		}
	}
	if r.Package == "" {
		return out, nil
	}
	prepared, err := s.Preparations(ctx)
	if err != nil {
		return out, err
	}
	_, out.Prepared = prepared[r.Package]
	all, err := s.Packages(ctx)
	if err != nil {
		return out, err
	}
	first := out.Servers[0]
	for _, p := range all {
		if strings.EqualFold(p.Name, r.Package) && strings.EqualFold(p.Language, first.Language) && p.Arch == first.Arch {
			out.Package = p
		}
	}
	return out, nil
}
