package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"wavekeeper/server/store/db"
)

// Bounds of the look for what was left on hosts.
const (
	sweepDays  = 90  // upgrades that began longer ago are not looked after
	sweepHosts = 500 // hosts at once
)

// AskHostSweeps asks for a look at every host on which an upgrade began lately,
// and returns how many there are.
func (s *Store) AskHostSweeps(ctx context.Context) (int, error) {
	asked := 0
	err := s.inTx(ctx, func(t *txn) error {
		hosts, err := t.q.LeftHosts(ctx, db.LeftHostsParams{Days: sweepDays, MaxRows: sweepHosts})
		if err != nil {
			return err
		}
		asked = len(hosts)
		return t.sweepHosts(ctx, hosts)
	})
	if err != nil {
		return 0, fmt.Errorf("ask for a look at hosts: %w", err)
	}
	return asked, nil
}

// InstallationID is the id that is part of every name on a host; it must have
// been made.
func (s *Store) InstallationID(ctx context.Context) (string, error) {
	have, err := s.q.Installation(ctx)
	if err != nil {
		return "", fmt.Errorf("load the installation's id: %w", err)
	}
	return have.ID, nil
}

// askSweep asks for a look at the hosts of one server.
func (t *txn) askSweep(ctx context.Context, server int64) error {
	hosts, err := t.q.HostsOfServers(ctx, []int64{server})
	if err != nil {
		return fmt.Errorf("find hosts: %w", err)
	}
	return t.sweepHosts(ctx, hosts)
}

func (t *txn) sweepHosts(ctx context.Context, hosts []int64) error {
	jobs := make([]river.JobArgs, 0, len(hosts))
	for _, h := range hosts {
		jobs = append(jobs, HostSweep{Host: h})
	}
	return t.s.insertJobs(ctx, t.tx, jobs...)
}

// IntendRemoval records that a task that an ended upgrade left on a host is
// about to be removed. It reports false, and records nothing, when the upgrade
// is in work, waits, is not known or has something to be put back: the task stays.
func (s *Store) IntendRemoval(ctx context.Context, lease Lease, upgrade int64, task string) (bool, error) {
	may := false
	err := s.inTx(ctx, func(t *txn) error {
		u, err := t.q.LeftUpgrade(ctx, upgrade)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.q.LockRollout(ctx, u.RolloutID); err != nil {
			return err
		}
		if u, err = t.q.LeftUpgrade(ctx, upgrade); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		if err := t.hold(ctx, lease); err != nil {
			return err
		}
		may = true
		return t.tell(ctx, Event{Rollout: u.RolloutID, Kind: EventIntent, Wave: u.Wave, Server: u.Server, Text: "remove host task " + task + ", which was left"})
	})
	if err != nil {
		return false, fmt.Errorf("record the removal of task %s: %w", task, err)
	}
	return may, nil
}
