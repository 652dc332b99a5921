package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

const probeLimit = 40 * time.Second

// prober works the jobs of kind probe: it asks one host for its facts and
// never touches rollout state.
type prober struct {
	river.WorkerDefaults[store.Probe]
	engine *Engine
}

// Work asks the host. Whatever comes out is kept with the host.
func (p *prober) Work(ctx context.Context, job *river.Job[store.Probe]) error {
	ctx = labelled(ctx, "probe", "", "")
	e := p.engine
	asking, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	go e.alive(asking, job.Args.Host)
	asked, outcome, message, facts := e.ask(asking, job.Args.Host)
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	if outcome == "" { // the secret is tried at another host first
		return river.JobSnooze(e.paced(triedPause))
	}
	saving, done := context.WithTimeout(ctx, saveLimit)
	defer done()
	if err := e.store.SaveProbe(saving, asked, outcome, message, facts); err != nil {
		e.log.Warn("probe not saved", "host", job.Args.Host, "err", err)
		return river.JobSnooze(e.paced(errorPause))
	}
	return nil
}

// alive says, as long as a host is asked, that this process is at it: what a dead
// process was at is given to another one by the sweep.
func (e *Engine) alive(ctx context.Context, host int64) {
	every := time.NewTicker(e.store.Beat())
	defer every.Stop()
	for {
		if err := e.store.ProbeAlive(ctx, host); err != nil && ctx.Err() == nil {
			e.log.Warn("not said that a host is being asked", "host", host, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (e *Engine) ask(ctx context.Context, host int64) (asked store.HostAddress, outcome, message string, facts []store.Fact) {
	target, err := e.store.ProbeTarget(ctx, host)
	if err != nil {
		return store.HostAddress{ID: host}, winrm.OutcomeRefused, err.Error(), nil
	}
	outcome, message, facts = e.askAt(ctx, target)
	return target.Host, outcome, message, facts
}

// askAt asks the host; an empty outcome says that it is too early to.
func (e *Engine) askAt(ctx context.Context, target store.ProbeTarget) (outcome, message string, facts []store.Fact) {
	way, err := e.way(ctx, target.Host, target.FQDN, target.Profile)
	var bar *barred
	switch {
	case errors.As(err, &bar) && bar.brief:
		return "", "", nil
	case errors.As(err, &bar):
		return bar.outcome, bar.Error(), nil
	case err != nil:
		return winrm.OutcomeRefused, err.Error(), nil
	}
	defer way.done(ctx)
	hide := secrets{way.password}
	if runas, err := e.account(ctx, way.profile, store.PurposeRunAs); err == nil {
		hide = append(hide, runas.password) // a host that had it in a task could say it now
	}
	found, err := way.windows().Facts(ctx)
	if err != nil {
		if bar, barErr := way.barred(context.WithoutCancel(ctx)); barErr != nil {
			e.log.Warn("what a host showed was not kept", "host", target.Host.Name, "err", barErr)
		} else if bar != nil {
			return bar.outcome, hide.redact(bar.Error()), nil
		}
		return winrm.Outcome(err), hide.redact(err.Error()), nil
	}
	facts, err = factsOf(found)
	if err != nil {
		return winrm.OutcomeFault, err.Error(), nil
	}
	return winrm.OutcomeDone, "", hide.redactFacts(facts)
}

// factsOf encodes facts; one that the host did not give is left out, so that
// an older answer keeps its age.
func factsOf(found []windows.Fact) ([]store.Fact, error) {
	facts := make([]store.Fact, 0, len(found))
	for _, f := range found {
		if f.Value == nil {
			continue
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("encode fact %s: %w", f.Name, err)
		}
		facts = append(facts, store.Fact{Name: f.Name, Value: value, Source: f.Source, At: f.At})
	}
	return facts, nil
}
