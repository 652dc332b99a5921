package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"wavekeeper/server/store/db"
)

// Swept counts what a sweep put back into motion.
type Swept struct{ Upgrades, Rollouts, Hosts, Stagings, Runs int }

// Sweep gives every upgrade in work that nobody works on (due, no live lease) a
// tick of a new generation, every rollout that is due an advance, and every host
// that was asked by a process which is gone another probe. Any number of sweeps
// may run at once: the rows guard.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	err := s.inTx(ctx, func(t *txn) error {
		var jobs []river.JobArgs
		rollouts, err := t.q.TakeDueRollouts(ctx, db.TakeDueRolloutsParams{GraceSeconds: s.grace().Seconds(), FarSeconds: (s.lookAgain() + s.grace()).Seconds()})
		if err != nil {
			return fmt.Errorf("find due rollouts: %w", err)
		}
		for _, r := range rollouts {
			jobs = append(jobs, Advance{Rollout: r.ID, Generation: r.Generation})
		}
		upgrades, err := t.q.TakeLeftUpgrades(ctx, db.TakeLeftUpgradesParams{
			GraceSeconds: s.grace().Seconds(), PauseSeconds: (longestPause + s.grace()).Seconds(), FarSeconds: s.far().Seconds(),
		})
		if err != nil {
			return fmt.Errorf("find left upgrades: %w", err)
		}
		for _, u := range upgrades {
			jobs = append(jobs, Tick{Upgrade: u.ID, Generation: u.Generation})
		}
		hosts, err := t.takeLostProbes(ctx, s.lost())
		if err != nil {
			return fmt.Errorf("find hosts that nobody asks: %w", err)
		}
		for _, h := range hosts {
			jobs = append(jobs, Probe{Host: h})
		}
		stagings, err := t.takeLeftStagings(ctx)
		if err != nil {
			return err
		}
		jobs = append(jobs, stagings...)
		runs, err := t.takeLeftRuns(ctx)
		if err != nil {
			return err
		}
		jobs = append(jobs, runs...)
		swept = Swept{Upgrades: len(upgrades), Rollouts: len(rollouts), Hosts: len(hosts), Stagings: len(stagings), Runs: len(runs)}
		return s.insertJobs(ctx, t.tx, jobs...)
	})
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	return swept, nil
}

// Hosts that were asked and of whose asking nothing is left: no process says
// that it is at it, and no job waits. River's table is not the program's, so
// that sqlc does not know it.
const takeLostProbes = `-- name: TakeLostProbes :many
UPDATE host
SET probe_asked_at = clock_timestamp(),
    probe_alive_at = NULL
WHERE id IN (
    SELECT h.id
    FROM host h
    WHERE h.probe_asked_at IS NOT NULL
      AND (h.last_probe_at IS NULL OR h.probe_asked_at > h.last_probe_at)
      AND GREATEST(h.probe_asked_at, h.probe_alive_at)
          NOT BETWEEN clock_timestamp() - make_interval(secs => $1)
                  AND clock_timestamp() + make_interval(secs => $1)
      AND NOT EXISTS (
          SELECT 1
          FROM river_job j
          WHERE j.kind = 'probe'
            AND j.state = 'available'
            AND j.scheduled_at <= clock_timestamp()
            AND (j.args ->> 'host')::bigint = h.id)
    ORDER BY h.id
    LIMIT 500
    FOR UPDATE SKIP LOCKED)
RETURNING id`

func (t *txn) takeLostProbes(ctx context.Context, lost time.Duration) ([]int64, error) {
	rows, err := t.tx.Query(ctx, takeLostProbes, lost.Seconds())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
