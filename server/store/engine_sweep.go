package store

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"
)

// Swept counts what a sweep put back into motion.
type Swept struct{ Upgrades, Rollouts int }

// Sweep gives every upgrade in work that nobody works on (due, no live lease) a
// tick of a new generation, and every rollout that is due an advance. Any
// number of sweeps may run at once: the rows guard.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	err := s.inTx(ctx, func(t *txn) error {
		var jobs []river.JobArgs
		rollouts, err := t.q.TakeDueRollouts(ctx, s.grace().Seconds())
		if err != nil {
			return fmt.Errorf("find due rollouts: %w", err)
		}
		for _, r := range rollouts {
			jobs = append(jobs, Advance{Rollout: r.ID, Generation: r.Generation})
		}
		upgrades, err := t.q.TakeLeftUpgrades(ctx, s.grace().Seconds())
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
