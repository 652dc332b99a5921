package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// sweepGrace is how long past its time a tick or an advance must be before the
// sweep takes it for lost. A live job is never that late on an idle machine,
// and on a busy one the row's generation keeps the second from harm.
const sweepGrace = 5 * time.Second

// Swept counts what a sweep put back into motion.
type Swept struct{ Upgrades, Rollouts int }

// Sweep gives every upgrade in work that nobody works on (due, no live lease) a
// tick of a new generation, and every rollout that is due an advance. Any
// number of sweeps may run at once: the rows guard.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	err := s.inTx(ctx, func(t *txn) error {
		var jobs []river.JobArgs
		rollouts, err := t.q.TakeDueRollouts(ctx, sweepGrace.Seconds())
		if err != nil {
			return fmt.Errorf("find due rollouts: %w", err)
		}
		for _, r := range rollouts {
			jobs = append(jobs, Advance{Rollout: r.ID, Generation: r.Generation})
		}
		upgrades, err := t.q.TakeLeftUpgrades(ctx, sweepGrace.Seconds())
		if err != nil {
			return fmt.Errorf("find left upgrades: %w", err)
		}
		for _, u := range upgrades {
			jobs = append(jobs, Tick{Upgrade: u.ID, Generation: u.Generation})
		}
		swept = Swept{Upgrades: len(upgrades), Rollouts: len(rollouts)}
		return s.insertJobs(ctx, t.tx, jobs...)
	})
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	return swept, nil
}
