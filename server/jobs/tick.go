package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const (
	tickLimit    = 28 * time.Second // one action in all; River's own limit is above it
	saveLimit    = 10 * time.Second
	busyPause    = 2 * time.Second // another worker holds the hosts
	errorPause   = 3 * time.Second
	refusedPause = 10 * time.Second // a person has to change something first
)

// ticker works the jobs of kind tick: one bounded action of one upgrade.
type ticker struct {
	river.WorkerDefaults[store.Tick]
	engine *Engine
}

// Work does the tick and says when the next one comes. Nothing is an error to
// River: what went wrong is on the upgrade's row or in the log, and the sweep
// picks up what was left.
func (t *ticker) Work(ctx context.Context, job *river.Job[store.Tick]) error {
	ctx = labelled(ctx, "tick", "", "")
	pause, more, err := t.engine.tick(ctx, job.Args)
	return t.engine.answer(ctx, "tick", slog.Int64("upgrade", job.Args.Upgrade), pause, more, err)
}

// tick does bounded actions on one upgrade, under the leases of its hosts.
func (e *Engine) tick(ctx context.Context, args store.Tick) (pause time.Duration, more bool, err error) {
	lease, taken, err := e.store.AcquireLeases(ctx, e.owner, args.Upgrade)
	if err != nil || !taken {
		return e.paced(busyPause), err == nil, err
	}
	return e.underLease(ctx, lease, func(ctx context.Context) (time.Duration, bool, error) { return e.once(ctx, args, lease) })
}

// once does one bounded action under the lease and saves its outcome.
func (e *Engine) once(ctx context.Context, args store.Tick, lease store.Lease) (pause time.Duration, more bool, err error) {
	w, live, err := e.store.LoadWork(ctx, args.Upgrade, args.Generation)
	if err != nil || !live {
		return 0, false, err
	}
	// All times on record are the database's: processes with clocks of their own
	// take turns.
	loaded := time.Now()
	now := func() time.Time { return w.Now.Add(time.Since(loaded)) }
	ctx = labelled(ctx, "tick", w.Server.Name, worked(w))
	work, out, err := e.act(ctx, w, lease, now)
	out.After = e.paced(out.After)
	switch {
	case ctx.Err() != nil:
		return 0, false, fmt.Errorf("tick of %s: %w", w.Server.Name, context.Cause(ctx))
	case errors.Is(err, store.ErrOvertaken):
		e.overtaken(w, err)
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("tick of %s: %w", w.Server.Name, err)
	}
	judged := work.judged // evidence was read by the same limits
	if judged.IsZero() {
		judged = now()
	}
	plain := e.plain(w)
	save := after(w, plain, out, judged)
	work.put(w, &save)
	save.Memory = work.Memory
	if work.Memory != nil && save.Step == worked(w) {
		(&course{w: w, table: plain, now: now()}).looked(&save, out.Barred)
	}
	if save.Facts, err = factsOf(out.Facts); err != nil {
		return 0, false, err
	}
	work.secrets.redactSave(&save)
	saving, cancel := context.WithTimeout(ctx, saveLimit)
	defer cancel()
	save.Staging = beside(work, out, save.StepTo, now())
	if err := e.store.SaveTick(saving, lease, save); err != nil {
		if errors.Is(err, store.ErrOvertaken) {
			e.overtaken(w, err)
			return 0, false, nil
		}
		return 0, false, err
	}
	e.ended(save.Staging)
	if save.From != save.To || save.StepTo != save.StepFrom {
		e.log.Info("step moved", "rollout", w.Rollout, "server", w.Server.Name, "step", save.Step, "state", save.StepTo, "upgrade", save.To)
	}
	if save.DueAt.IsZero() {
		return 0, false, nil
	}
	return save.DueAt.Sub(now()), true, nil
}

func (e *Engine) overtaken(w store.UpgradeWork, err error) {
	e.log.Info("tick overtaken", "rollout", w.Rollout, "server", w.Server.Name, "step", w.Step, "err", err)
}

// act lets the runbook's step do its one action on the host. What kept it from
// acting is an outcome, too: it is shown and tried again until the step's limit.
// An error means that this worker may not act, or not any more.
func (e *Engine) act(ctx context.Context, w store.UpgradeWork, lease store.Lease, now func() time.Time) (*prepared, runbook.Outcome, error) {
	ctx, kept := e.guarded(ctx, lease)
	ctx, cancel := context.WithTimeout(ctx, tickLimit)
	defer cancel()
	work := &prepared{}
	work.Memory = memoryOf(w, worked(w))
	step, ok := e.step(w)
	if !ok {
		return work, runbook.Outcome{
			Kind: runbook.Unknown, Message: fmt.Sprintf("the runbook %s has no step %q", w.Runbook, worked(w)),
			Remedy: "This version of Wavekeeper cannot go on with this upgrade; use the version that began it.",
		}, nil
	}
	defer work.done(ctx)
	if refused := e.prepare(ctx, w, lease, work); refused != nil {
		refused.Unheard = true // the host was not asked
		return work, outOfReach(step.Step, *refused), nil
	}
	out, err := step.Tick(ctx, &work.Work)
	if kept.Load() {
		return work, out, store.ErrLeaseLost // that nothing was sent is no doing of the host
	}
	if bar, barErr := work.barred(ctx, out, err); barErr != nil {
		return work, out, barErr
	} else if bar != nil {
		return work, *bar.out(w.State), nil
	}
	if err == nil {
		delete(work.Memory, unapprovedSince)
		work.judged = now()
		if c := (course{w: w, table: e.plain(w), now: work.judged}); out.Kind == runbook.Again && w.Decision == "" && !step.Repeatable {
			if over, _ := c.overdue(); over {
				out.Evidence = runbook.Collect(ctx, &work.Work)
			}
		}
		return work, out, nil
	}
	e.log.Warn("step came to nothing", "rollout", w.Rollout, "server", w.Server.Name, "step", worked(w), "err", err)
	if errors.Is(err, store.ErrNotApproved) {
		return work, notApproved(work, err), nil
	}
	out, err = unrecorded(err)
	return work, out, err
}

// worked names the step that a tick works on: that of a decision, or the
// upgrade's own.
func worked(w store.UpgradeWork) string {
	if w.Decision != "" {
		return w.Decision
	}
	return w.Step
}

func (e *Engine) step(w store.UpgradeWork) (runbook.Step, bool) {
	table, ok := e.table(w.Runbook)
	switch {
	case !ok:
		return runbook.Step{}, false
	case w.Decision != "":
		return table.Decision(w.Decision)
	}
	return table.Step(w.Step)
}

// unrecorded turns a book that refused into an outcome, where the worker may go
// on: people are not shown what a database says.
func unrecorded(err error) (runbook.Outcome, error) {
	switch {
	case errors.Is(err, store.ErrLeaseLost), errors.Is(err, store.ErrOvertaken), errors.Is(err, context.Canceled):
		return runbook.Outcome{}, err
	}
	return runbook.Outcome{
		Kind: runbook.Again, After: errorPause,
		Message: "Nothing was done: what was to be done could not be put on record first. The program's log says why.",
	}, nil
}

// outOfReach is a refusal of our own rules. A step that cannot be repeated may
// be at work on the host just now, so that its refusal is no failure: it is out
// of sight until the rules allow to look again.
func outOfReach(step rollout.Step, refused runbook.Outcome) runbook.Outcome {
	if refused.Kind == runbook.Failed && !step.Repeatable {
		refused.Kind, refused.After = runbook.OutOfSight, refusedPause
	}
	return refused
}

func memoryOf(w store.UpgradeWork, name string) map[string]string {
	memory := map[string]string{}
	for _, s := range w.Steps {
		if s.Name == name {
			for k, v := range s.Memory {
				memory[k] = v
			}
		}
	}
	return memory
}
