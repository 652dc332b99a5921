package jobs

import (
	"context"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const behindUpgrade = time.Minute // the host is in work: nothing else is done there

// errand is one step that works on a host apart from upgrades: of a check, a fix,
// a look at the organization, or of media that come ahead.
type errand struct {
	host  string
	state rollout.State
	lease store.Lease
	work  *prepared
	step  runbook.Step
}

// apart lets the step do its one action, unless an upgrade is in work on the
// host: then it stands back, and says so in work.behind. What keeps us from
// preparing it is an outcome, too.
func (e *Engine) apart(ctx context.Context, r errand, prepare func(context.Context) (*runbook.Outcome, error)) (runbook.Outcome, error) {
	ctx, kept := e.guarded(ctx, r.lease)
	ctx, cancel := context.WithTimeout(ctx, tickLimit)
	defer cancel()
	defer r.work.done(ctx)
	busy, err := e.store.HostInWork(ctx, r.host)
	if err != nil {
		return runbook.Outcome{}, err
	}
	if busy != "" {
		r.work.behind = true
		return runbook.Outcome{Kind: runbook.Again, After: behindUpgrade, Message: busy + " is in work on this host: it goes on afterwards"}, nil
	}
	if refused, err := prepare(ctx); err != nil {
		return runbook.Outcome{}, err
	} else if refused != nil {
		return *refused, nil
	}
	out, err := r.step.Tick(ctx, &r.work.Work)
	if kept.Load() {
		return out, store.ErrLeaseLost
	}
	if bar, barErr := r.work.barred(ctx, out, err); barErr != nil {
		return out, barErr
	} else if bar != nil {
		return *bar.out(r.state), nil
	}
	if err != nil {
		e.log.Warn("step apart from upgrades came to nothing", "host", r.host, "step", r.step.Name, "err", err)
		out, err = unrecorded(err)
	}
	return out, err
}
