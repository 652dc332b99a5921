package jobs

import (
	"context"
	"runtime/pprof"
	"time"
)

// shortest is the least that a pause is shortened to: polling a database more
// often helps nobody.
const shortest = 10 * time.Millisecond

// paced shortens a pause by the engine's pace.
func (e *Engine) paced(pause time.Duration) time.Duration {
	if e.pace == 1 || pause <= shortest {
		return pause
	}
	return max(time.Duration(float64(pause)/e.pace), shortest)
}

// labelled says in profiles and to tracers what a worker works on: the kind of
// job, the server and the runbook's step, each empty where it is not known.
func labelled(ctx context.Context, job, server, step string) context.Context {
	ctx = pprof.WithLabels(ctx, pprof.Labels("job", job, "server", server, "step", step))
	pprof.SetGoroutineLabels(ctx)
	return ctx
}
