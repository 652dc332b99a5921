package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The runbooks of runs.
const (
	BookChecking     = "checking"
	BookOrganization = "organization-look"
)

// CheckAsk says which servers are to be checked for which package.
type CheckAsk struct {
	Servers []int64
	Package string
	Reason  string // may be empty: a check changes nothing
}

// CheckAsked says what came of it.
type CheckAsked struct {
	Batch int64   // 0 = every host is being checked for the package already
	Runs  []int64 // one for each host, those that were open already among them
	Hosts int     // on which a check was asked for now
	Open  []string
}

// runsAtOnce is how many of those that wait get a job at once. How many work at
// the same time is the coordinators' limit.
const runsAtOnce = 20

// AskChecks asks for preflight on every host of the servers, outside upgrades.
// It changes nothing there but the program's own folder.
func (s *Store) AskChecks(ctx context.Context, actor Actor, ask CheckAsk) (CheckAsked, error) {
	var asked CheckAsked
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		known, err := exchange.PackageByName(ask.Package)
		if err != nil {
			return rollout.Invalid("%s", err)
		}
		ask.Package = known.Name
		asked, err = t.askChecks(ctx, actor, ask)
		return err
	})
	if err != nil {
		return CheckAsked{}, fmt.Errorf("ask for checks: %w", err)
	}
	return asked, nil
}

func (t *txn) askChecks(ctx context.Context, actor Actor, ask CheckAsk) (CheckAsked, error) {
	var asked CheckAsked
	hosts, err := t.q.RunHosts(ctx, ask.Servers)
	if err != nil {
		return asked, err
	}
	if len(hosts) == 0 {
		return asked, rollout.Invalid("Name at least one server.")
	}
	if asked.Batch, err = t.q.InsertBatch(ctx, db.InsertBatchParams{Package: ask.Package, AskedBy: actor.Name, Reason: strings.TrimSpace(ask.Reason)}); err != nil {
		return asked, err
	}
	var jobs []river.JobArgs
	for _, h := range hosts {
		r, err := t.q.InsertRun(ctx, db.InsertRunParams{
			Kind: RunCheck, Runbook: BookChecking, HostID: h.HostID, ServerID: h.ServerID, Package: ask.Package, BatchID: &asked.Batch,
			AskedBy: actor.Name, Reason: strings.TrimSpace(ask.Reason),
		})
		if errors.Is(err, pgx.ErrNoRows) {
			open, err := t.q.OpenRun(ctx, db.OpenRunParams{HostID: h.HostID, Kind: RunCheck, Package: ask.Package})
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return asked, err
			}
			asked.Open = append(asked.Open, h.Host)
			if open != 0 {
				asked.Runs = append(asked.Runs, open)
			}
			continue
		}
		if err != nil {
			return asked, err
		}
		asked.Runs, asked.Hosts = append(asked.Runs, r.ID), asked.Hosts+1
		if len(jobs) < runsAtOnce { // the others have their turn when these end
			jobs = append(jobs, RunTick{Run: r.ID, Generation: r.Generation})
		}
		if err := t.ring(ctx, "host", h.HostID); err != nil {
			return asked, err
		}
	}
	if asked.Hosts == 0 {
		_, err := t.tx.Exec(ctx, "DELETE FROM check_batch WHERE id = $1", asked.Batch)
		asked.Batch = 0
		return asked, err // nothing was changed: nothing goes on record
	}
	t.record(actor, Record{
		What: "check.ask", Subject: ask.Package, Reason: strings.TrimSpace(ask.Reason),
		Detail: map[string]any{"batch": asked.Batch, "hosts": int64(asked.Hosts)},
	})
	return asked, t.s.insertJobs(ctx, t.tx, jobs...)
}

// AskOrganization asks that the organization be read on a host of the server. It
// returns the run, which may have been open already.
func (s *Store) AskOrganization(ctx context.Context, actor Actor, server int64, reason string) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if reason = strings.TrimSpace(reason); reason == "" {
			return rollout.Invalid("Say why the organization is read: the reason is kept on record.")
		}
		hosts, err := t.q.RunHosts(ctx, []int64{server})
		if err != nil {
			return err
		}
		if len(hosts) == 0 {
			return rollout.NotFound("There is no such server.")
		}
		h := hosts[0]
		r, err := t.q.InsertRun(ctx, db.InsertRunParams{
			Kind: RunOrganization, Runbook: BookOrganization, HostID: h.HostID, ServerID: h.ServerID, AskedBy: actor.Name, Reason: reason,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = t.q.OpenRun(ctx, db.OpenRunParams{HostID: h.HostID, Kind: RunOrganization})
			return err
		}
		if err != nil {
			return err
		}
		id = r.ID
		t.record(actor, Record{What: "organization.look", Subject: h.Host, Reason: reason, Detail: map[string]any{"run": id}})
		if err := t.ring(ctx, "organization", 0); err != nil {
			return err
		}
		return t.s.insertJobs(ctx, t.tx, RunTick{Run: id, Generation: r.Generation})
	})
	if err != nil {
		return 0, fmt.Errorf("ask for the organization: %w", err)
	}
	return id, nil
}

// CancelChecks ends every check of a batch: what waits at once, what is in work
// as soon as nothing of it is left on its host.
func (s *Store) CancelChecks(ctx context.Context, actor Actor, batch int64, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		n, err := t.q.CancelBatch(ctx, db.CancelBatchParams{CancelledBy: actor.Name, ID: batch})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("There are no checks number %d that are not cancelled already.", batch)
		}
		rows, err := t.q.CancelRuns(ctx, db.CancelRunsParams{Message: sentence(actor.Name+" cancelled it", reason), BatchID: &batch})
		if err != nil {
			return err
		}
		var jobs []river.JobArgs
		for _, r := range rows {
			if rollout.State(r.State) != rollout.Skipped {
				jobs = append(jobs, RunTick{Run: r.ID, Generation: r.Generation})
			}
			if err := t.ring(ctx, "host", r.HostID); err != nil {
				return err
			}
		}
		t.record(actor, Record{What: "check.cancel", Subject: fmt.Sprintf("checks %d", batch), Reason: reason, Detail: map[string]any{"hosts": int64(len(rows))}})
		return t.s.insertJobs(ctx, t.tx, jobs...)
	})
	if err != nil {
		return fmt.Errorf("cancel checks %d: %w", batch, err)
	}
	return nil
}

// takeLeftRuns gives runs that are due and that nobody works on a tick of a new
// generation, and those that wait their turn.
func (t *txn) takeLeftRuns(ctx context.Context) ([]river.JobArgs, error) {
	rows, err := t.q.TakeLeftRuns(ctx, db.TakeLeftRunsParams{
		GraceSeconds: t.s.grace().Seconds(), PauseSeconds: (longestPause + t.s.grace()).Seconds(), FarSeconds: t.s.far().Seconds(),
	})
	if err != nil {
		return nil, fmt.Errorf("find left runs: %w", err)
	}
	jobs := make([]river.JobArgs, 0, len(rows))
	for _, r := range rows {
		jobs = append(jobs, RunTick{Run: r.ID, Generation: r.Generation})
	}
	waiting, err := t.takeWaitingRuns(ctx, runsAtOnce, t.s.grace())
	return append(jobs, waiting...), err
}

func (t *txn) takeWaitingRuns(ctx context.Context, most int, grace time.Duration) ([]river.JobArgs, error) {
	waiting, err := t.q.TakeWaitingRuns(ctx, db.TakeWaitingRunsParams{GraceSeconds: grace.Seconds(), FarSeconds: t.s.far().Seconds(), Most: int64(most)})
	if err != nil {
		return nil, fmt.Errorf("find runs that wait: %w", err)
	}
	jobs := make([]river.JobArgs, 0, len(waiting))
	for _, r := range waiting {
		jobs = append(jobs, RunTick{Run: r.ID, Generation: r.Generation})
	}
	return jobs, nil
}
