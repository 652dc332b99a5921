package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const (
	runsAtOnce = 20            // hosts on which runs are in work at the same time
	runTidies  = 20            // tries to remove tasks of a run; a sweep of the host does it later
	runLimit   = 2 * time.Hour // how long a run may take, without the time that upgrades of its host took
	runWorkers = 5             // of the workers one in so many is for runs
)

// runner works the jobs of kind run: one bounded action of a short runbook on a
// host outside upgrades: a check, a look at the organization, a fix. It never
// touches rollout state.
type runner struct {
	river.WorkerDefaults[store.RunTick]
	engine *Engine
}

// Work does the tick and says when the next one comes, as a tick of an upgrade.
func (s *runner) Work(ctx context.Context, job *river.Job[store.RunTick]) error {
	ctx = labelled(ctx, "run", "", "")
	pause, more, err := s.engine.run(ctx, job.Args)
	return s.engine.answer(ctx, "run", slog.Int64("run", job.Args.Run), pause, more, err)
}

// run does bounded actions under the lease of the host.
func (e *Engine) run(ctx context.Context, args store.RunTick) (pause time.Duration, more bool, err error) {
	r, live, err := e.store.LoadRun(ctx, args.Run, args.Generation)
	if err != nil || !live {
		return 0, false, err
	}
	waits := r.State == rollout.Waiting || r.State == rollout.Held
	if waits {
		if room, err := e.store.RoomToRun(ctx, runsAtOnce); err != nil || !room {
			return 0, false, err // the sweep, or one that ends, gives it its turn
		}
	}
	lease, taken, err := e.store.AcquireHost(ctx, e.owner, r.Host.ID)
	if err != nil || !taken {
		return e.paced(busyPause), err == nil, err
	}
	return e.underLease(ctx, lease, func(ctx context.Context) (time.Duration, bool, error) {
		if waits {
			if err := e.store.BeginRun(ctx, lease, args.Run, args.Generation); err != nil {
				return 0, false, past(err)
			}
			waits = false
		}
		pause, more, err := e.runOnce(ctx, args, lease)
		return pause, more, past(err)
	})
}

// runOnce does one bounded action and saves what came out of it.
func (e *Engine) runOnce(ctx context.Context, args store.RunTick, lease store.Lease) (time.Duration, bool, error) {
	r, live, err := e.store.LoadRun(ctx, args.Run, args.Generation)
	if err != nil || !live {
		return 0, false, err
	}
	loaded, err := e.store.Now(ctx) // all times on record are the database's
	if err != nil {
		return 0, false, err
	}
	began := time.Now()
	now := func() time.Time { return loaded.Add(time.Since(began)) }
	c := runCourse{run: r, now: now, save: r.Save()}
	c.save.To = rollout.Running
	table, known := runbook.ByName(r.Runbook)
	step, ok := c.step(table)
	work := &prepared{}
	work.Memory = partOf(r.Memory, step.Name)
	switch {
	case !ok && r.Ended != "": // nothing of it is left to remove
		c.save.To = r.Ended
	case !known || !ok:
		c.save.To = rollout.Failed
		c.save.Message = fmt.Sprintf("This version of Wavekeeper has no runbook %s with a step %q", r.Runbook, r.Step)
	default:
		out, err := e.runStep(ctx, r, lease, work, step, loaded)
		switch {
		case ctx.Err() != nil:
			return 0, false, fmt.Errorf("run on %s: %w", r.Host.Name, context.Cause(ctx))
		case err != nil:
			return 0, false, fmt.Errorf("run on %s: %w", r.Host.Name, err)
		}
		if c.save.Facts, err = factsOf(out.Facts); err != nil {
			return 0, false, err
		}
		if r.Kind == store.RunOrganization {
			c.save.Facts, c.save.Organization = ofOrganization(c.save.Facts)
		}
		c.save.Memory = joined(maps.Clone(r.Memory), step.Name, work.Memory)
		c.after(table, step, out, work.behind, e.paced(out.After))
	}
	for i := range c.save.Findings {
		f := &c.save.Findings[i]
		f.Text, f.Evidence, f.Remedy = work.secrets.redact(f.Text), work.secrets.redact(f.Evidence), work.secrets.redact(f.Remedy)
	}
	work.secrets.redactFacts(c.save.Facts)
	for i, f := range c.save.Organization {
		one := []store.Fact{{Value: f.Value}}
		work.secrets.redactFacts(one)
		c.save.Organization[i].Value = one[0].Value
	}
	c.save.Message, c.save.Remedy = work.secrets.redact(c.save.Message), work.secrets.redact(c.save.Remedy)
	for k, v := range c.save.Memory {
		c.save.Memory[k] = work.secrets.redact(v)
	}
	c.save.DueAt = now().Add(c.pause)
	saving, cancel := context.WithTimeout(ctx, saveLimit)
	defer cancel()
	if err := e.store.SaveRun(saving, lease, c.save); err != nil {
		return 0, false, err
	}
	if c.save.To != rollout.Running {
		e.log.Info("run ended", "host", r.Host.Name, "run", r.ID, "kind", r.Kind, "state", c.save.To)
		return 0, false, nil
	}
	return c.pause, true, nil
}

// runStep lets a step of the run do its one action on the host.
func (e *Engine) runStep(ctx context.Context, r store.Run, lease store.Lease, work *prepared, step runbook.Step, now time.Time) (runbook.Outcome, error) {
	return e.apart(ctx, errand{host: r.Host.Name, state: r.State, lease: lease, work: work, step: step}, func(ctx context.Context) (*runbook.Outcome, error) {
		return e.prepareRun(ctx, r, lease, work, now)
	})
}

// prepareRun fills in what a tick of a run may use.
func (e *Engine) prepareRun(ctx context.Context, r store.Run, lease store.Lease, work *prepared, now time.Time) (*runbook.Outcome, error) {
	target, err := e.store.ProbeTarget(ctx, r.Host.ID)
	if err != nil {
		return nil, err
	}
	knows, err := e.store.RunTarget(ctx, r)
	if errors.Is(err, rollout.ErrNotFound) {
		return &runbook.Outcome{Kind: runbook.Failed, Message: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	way, err := e.way(ctx, target.Host, target.FQDN, target.Profile)
	if err != nil {
		return e.refusal(err, r.State), nil
	}
	work.way, work.secrets = way, secrets{way.password}
	runas, err := e.account(ctx, way.profile, store.PurposeRunAs)
	if err != nil {
		return e.refusal(err, r.State), nil
	}
	work.secrets = append(work.secrets, runas.password)
	if bar, err := e.runAsRefused(ctx, way.profile, r.Host.Name); err != nil {
		return e.refusal(err, r.State), nil
	} else if bar != nil && r.Ended == "" { // what tidies needs no account
		return bar.out(r.State), nil
	}
	return nil, e.fillRun(ctx, r, lease, work, knows, runbook.Account{Name: runas.name, Password: runas.password}, now)
}

// runCourse is one tick's way from an outcome to a run's row.
type runCourse struct {
	run   store.Run
	now   func() time.Time
	save  store.RunSave
	pause time.Duration
}

// step is the step that is worked on: once it is known how the run ends, that
// which removes what it left.
func (c *runCourse) step(table runbook.Table) (runbook.Step, bool) {
	switch {
	case len(table.Steps) == 0:
		return runbook.Step{}, false
	case c.run.Ended != "":
		c.save.Step = runbook.Tidy
		return table.Step(runbook.Tidy)
	case c.run.Step == "":
		c.save.Step = table.Steps[0].Name
		return table.Steps[0], true
	}
	return table.Step(c.run.Step)
}

// after computes what the outcome of a step changes. What a run found out does
// not make it fail: a check that found blockers is done.
func (c *runCourse) after(table runbook.Table, step runbook.Step, out runbook.Outcome, behind bool, pause time.Duration) {
	c.pause = pause
	tidies := step.Name == runbook.Tidy && c.run.Ended != ""
	if behind {
		c.save.Memory[stagingBehind] = addedTo(c.save.Memory[stagingBehind], pause)
	}
	if !tidies {
		c.save.Message, c.save.Remedy = headline(out), out.Remedy
	}
	if len(out.Findings) > 0 && c.run.Kind == store.RunCheck {
		c.save.Judged, c.save.Findings = true, slices.Clone(out.Findings)
		c.save.Message, c.save.Remedy = countFindings(c.save.Findings), ""
	}
	goesOn := out.Kind == runbook.Again || out.Kind == runbook.OutOfSight
	over := c.run.StartedAt != nil && c.now().Sub(*c.run.StartedAt)-lasted(c.save.Memory[stagingBehind]) > runLimit
	switch {
	case tidies && (!goesOn || c.save.Memory[part(step.Name, "tries")] == fmt.Sprint(runTidies)):
		c.save.To = c.run.Ended
	case tidies:
		if !behind {
			c.save.Memory[part(step.Name, "tries")] = raised(c.save.Memory[part(step.Name, "tries")])
		}
	case behind && (c.run.Kind == store.RunCheck || c.run.Kind == store.RunOrganization):
		c.end(table, rollout.Skipped) // what it found so far is of the past when the upgrade is over
		c.save.Message = "An upgrade of this host began meanwhile: ask again when it is over"
	case goesOn && over:
		c.end(table, rollout.Failed)
		c.save.Message = fmt.Sprintf("Not finished in %d hours: %s", int(runLimit.Hours()), c.save.Message)
	case goesOn:
	case out.Kind == runbook.Done || c.save.Judged:
		c.pause = 0
		if next := following(table, step.Name); next != "" {
			c.save.Step = next
			return
		}
		c.end(table, rollout.Done)
	default:
		c.end(table, rollout.Failed)
	}
}

// end says how the run ends; what it left is removed first.
func (c *runCourse) end(table runbook.Table, as rollout.State) {
	c.save.Ended, c.pause = as, 0
	if _, tidies := table.Step(runbook.Tidy); !tidies {
		c.save.To = as
		return
	}
	c.save.Step = runbook.Tidy
}

// following names the step after another, "" before the one that removes what is left.
func following(table runbook.Table, step string) string {
	at := slices.IndexFunc(table.Steps, func(s runbook.Step) bool { return s.Name == step })
	if at < 0 || at+1 == len(table.Steps) || table.Steps[at+1].Name == runbook.Tidy {
		return ""
	}
	return table.Steps[at+1].Name
}
