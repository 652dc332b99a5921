package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

const stageTidies = 20 // tries to remove tasks of a staging; a sweep of the host does it later

// stager works the jobs of kind stage: one bounded action at bringing a medium
// to a host ahead of its upgrade. It never touches rollout state.
type stager struct {
	river.WorkerDefaults[store.Stage]
	engine *Engine
}

// Work does the tick and says when the next one comes, as a tick of an upgrade.
func (s *stager) Work(ctx context.Context, job *river.Job[store.Stage]) error {
	ctx = labelled(ctx, "stage", "", "")
	pause, more, err := s.engine.stage(ctx, job.Args)
	return s.engine.answer(ctx, "staging", slog.Int64("staging", job.Args.Staging), pause, more, err)
}

// stage does bounded actions under the lease of the host.
func (e *Engine) stage(ctx context.Context, args store.Stage) (pause time.Duration, more bool, err error) {
	g, live, err := e.store.LoadStaging(ctx, args.Staging, args.Generation)
	if err != nil || !live {
		return 0, false, err
	}
	waits := g.State == rollout.Waiting || g.State == rollout.Held
	if waits {
		if free, err := e.stageNow(ctx, g); err != nil || !free {
			return 0, false, err // the sweep gives it its turn
		}
	}
	lease, taken, err := e.store.AcquireHost(ctx, e.owner, g.Host.ID)
	if err != nil || !taken {
		return e.paced(busyPause), err == nil, err
	}
	return e.underLease(ctx, lease, func(ctx context.Context) (time.Duration, bool, error) {
		if waits {
			if err := e.store.BeginStaging(ctx, lease, args.Staging, args.Generation); err != nil {
				return 0, false, past(err)
			}
			waits = false
		}
		pause, more, err := e.stageOnce(ctx, args, lease)
		return pause, more, past(err)
	})
}

// stageNow reports whether a staging that waits may begin: its host is free, and
// about as many fetch already as the listener serves at the same time.
func (e *Engine) stageNow(ctx context.Context, g store.Staging) (bool, error) {
	busy, err := e.store.HostInWork(ctx, g.Host.Name)
	if err != nil || busy != "" {
		return false, err
	}
	if runs, err := e.store.RunOnHost(ctx, g.Host.ID); err != nil || runs != "" {
		return false, err
	}
	most := e.media.Hosts
	if most == 0 {
		most = stagedAtOnce
	}
	return e.store.RoomToStage(ctx, most)
}

// past makes nothing of an error that says that another one goes on.
func past(err error) error {
	if errors.Is(err, store.ErrOvertaken) {
		return nil
	}
	return err
}

// stageOnce does one bounded action and saves what came out of it.
func (e *Engine) stageOnce(ctx context.Context, args store.Stage, lease store.Lease) (time.Duration, bool, error) {
	g, live, err := e.store.LoadStaging(ctx, args.Staging, args.Generation)
	if err != nil || !live {
		return 0, false, err
	}
	loaded, err := e.store.Now(ctx) // all times on record are the database's
	if err != nil {
		return 0, false, err
	}
	began := time.Now()
	now := func() time.Time { return loaded.Add(time.Since(began)) }
	work := &prepared{}
	memory := maps.Clone(g.Memory)
	step := runbook.Stage
	if memory[stagingEnded] != "" {
		step = runbook.Tidy
	}
	work.Memory = partOf(memory, step)
	out, err := e.stageStep(ctx, g, lease, work, step, loaded)
	switch {
	case ctx.Err() != nil:
		return 0, false, fmt.Errorf("staging on %s: %w", g.Host.Name, context.Cause(ctx))
	case err != nil:
		return 0, false, fmt.Errorf("staging on %s: %w", g.Host.Name, err)
	}
	save := staged(g, out, work.Media.Medium.Source, now())
	save.Memory = joined(memory, step, work.Memory)
	save.To = rollout.Running
	pause := e.paced(out.After)
	if step == runbook.Tidy {
		save.Message, save.Remedy, save.Phase, save.Proven = g.Message, g.Remedy, g.Phase, false
	}
	if work.behind {
		save.Memory[stagingBehind] = addedTo(save.Memory[stagingBehind], pause)
	}
	switch over := g.StartedAt != nil && now().Sub(*g.StartedAt)-lasted(save.Memory[stagingBehind]) > stageLimit; {
	case step == runbook.Tidy && (out.Kind != runbook.Again || work.Memory["tries"] == fmt.Sprint(stageTidies)):
		save.To = rollout.State(memory[stagingEnded])
		save.Proven = save.To == rollout.Done
	case step == runbook.Tidy:
		save.Memory[part(step, "tries")] = raised(save.Memory[part(step, "tries")])
	case out.Kind == runbook.Done && save.Proven:
		save.Memory[stagingEnded], pause = string(rollout.Done), 0
	case out.Kind != runbook.Again && out.Kind != runbook.OutOfSight, over:
		if over && out.Kind == runbook.Again {
			save.Message = fmt.Sprintf("Not finished in %d hours: %s", int(stageLimit.Hours()), save.Message)
			save.Remedy = "Look at the host and the way to it, and ask for it again: it goes on from what came."
		}
		save.Memory[stagingEnded], pause = string(rollout.Failed), 0
	}
	save.DueAt = now().Add(pause)
	save.Message, save.Remedy = work.secrets.redact(save.Message), work.secrets.redact(save.Remedy)
	for k, v := range save.Memory {
		save.Memory[k] = work.secrets.redact(v)
	}
	saving, cancel := context.WithTimeout(ctx, saveLimit)
	defer cancel()
	if err := e.store.SaveStaging(saving, lease, save); err != nil {
		return 0, false, err
	}
	if save.To != rollout.Running {
		if e.media.Revoke != nil {
			e.media.Revoke(g.ID)
		}
		e.log.Info("staging ended", "host", g.Host.Name, "staging", g.ID, "state", save.To)
		return 0, false, nil
	}
	return pause, true, nil
}

// stageLimit is how long a staging may take ahead of an upgrade, without the
// time that upgrades of its host took.
const stageLimit = 24 * time.Hour

// stageStep lets a step of runbook.Staging do its one action on the host.
func (e *Engine) stageStep(ctx context.Context, g store.Staging, lease store.Lease, work *prepared, name string, now time.Time) (runbook.Outcome, error) {
	step, _ := runbook.Staging().Step(name)
	return e.apart(ctx, errand{host: g.Host.Name, state: g.State, lease: lease, work: work, step: step}, func(ctx context.Context) (*runbook.Outcome, error) {
		return e.prepareStaging(ctx, g, lease, work, now)
	})
}

// prepareStaging fills in what a tick of a staging may use.
func (e *Engine) prepareStaging(ctx context.Context, g store.Staging, lease store.Lease, work *prepared, now time.Time) (*runbook.Outcome, error) {
	target, err := e.store.ProbeTarget(ctx, g.Host.ID)
	if err != nil {
		return nil, err
	}
	m, err := e.store.Bundle(ctx, g.Media)
	if err != nil {
		return nil, err
	}
	installation, err := e.store.InstallationID(ctx)
	if err != nil {
		return nil, err
	}
	site, err := e.store.SiteOfHost(ctx, g.Host.ID)
	if err != nil {
		return nil, err
	}
	way, err := e.way(ctx, target.Host, target.FQDN, target.Profile)
	if err != nil {
		return e.refusal(err, g.State), nil
	}
	work.way, work.secrets = way, secrets{way.password}
	g.Host = target.Host
	medium := mediumOf(m)
	token, err := e.fetch(ctx, lease, g, &medium, site, target.FQDN, installation)
	if token != "" {
		work.secrets = append(work.secrets, token)
	}
	if err != nil {
		return nil, err
	}
	notes := map[string]map[string]string{runbook.Stage: partOf(g.Memory, runbook.Stage)}
	memory := work.Memory
	work.Work = runbook.Work{
		Host: windows.New(way.conn), Media: runbook.Media{Folder: g.Folder, SetupSHA256: m.SetupSHA256, Medium: medium},
		Installation: installation, Attempt: max(1, g.Attempt), Memory: memory, Notes: notes, Book: stagingBook{lease: lease, now: e.now}, Now: now,
	}
	return nil, nil
}

// stagingBook is a Book for what changes nothing but the program's own folder:
// the lease has to be good, and there is nothing to put back.
type stagingBook struct {
	lease store.Lease
	now   func() time.Time
}

var errNoLedger = errors.New("bringing media to a host changes nothing that is to be put back")

// Intend lets an effect happen while the lease lasts.
func (b stagingBook) Intend(context.Context, string) error { return b.lease.Lasts(b.now()) }

// Change refuses.
func (b stagingBook) Change(context.Context, runbook.Entry) (int64, error) { return 0, errNoLedger }

// Restored refuses.
func (b stagingBook) Restored(context.Context, int64, string) error { return errNoLedger }

// Cleared refuses.
func (b stagingBook) Cleared(context.Context, runbook.Marker) error { return errNoLedger }

// PutBackMarker refuses.
func (b stagingBook) PutBackMarker(context.Context, runbook.Marker) error { return errNoLedger }

// stagingEnded keeps how the stage step ended while its tasks are removed.
const stagingEnded = "ended"

// stagingBehind keeps for how many seconds a staging stood behind upgrades of its host.
const stagingBehind = "behind"

func lasted(text string) time.Duration {
	was := 0.0
	_, _ = fmt.Sscan(text, &was) // empty is none
	return time.Duration(was * float64(time.Second))
}

func addedTo(text string, d time.Duration) string {
	return strconv.FormatFloat((lasted(text) + d).Seconds(), 'f', -1, 64)
}

// part is the key of one step's memory in that of the staging.
func part(step, key string) string { return step + "/" + key }

func partOf(memory map[string]string, step string) map[string]string {
	own := map[string]string{}
	for k, v := range memory {
		if key, ok := strings.CutPrefix(k, step+"/"); ok {
			own[key] = v
		}
	}
	return own
}

func joined(memory map[string]string, step string, own map[string]string) map[string]string {
	all := map[string]string{}
	for k, v := range memory {
		if !strings.HasPrefix(k, step+"/") {
			all[k] = v
		}
	}
	for k, v := range own {
		all[part(step, k)] = v
	}
	return all
}

func raised(n string) string {
	was := 0
	_, _ = fmt.Sscan(n, &was) // empty is none
	return fmt.Sprint(was + 1)
}
