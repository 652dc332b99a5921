package jobs

import (
	"context"
	"errors"

	"github.com/riverqueue/river"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// advancer works the jobs of kind advance: one rollout, one transaction.
type advancer struct {
	river.WorkerDefaults[store.Advance]
	engine *Engine
}

// Work moves the rollout on. What does not succeed is asked for again by the
// sweep, with a new generation.
func (a *advancer) Work(ctx context.Context, job *river.Job[store.Advance]) error {
	ctx = labelled(ctx, "advance", "", "")
	err := a.engine.store.Advance(ctx, job.Args, rollout.Next, a.engine)
	switch {
	case err == nil, errors.Is(err, rollout.ErrNotFound):
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	}
	a.engine.log.Warn("advance came to nothing", "rollout", job.Args.Rollout, "err", err)
	return river.JobSnooze(a.engine.paced(errorPause))
}
