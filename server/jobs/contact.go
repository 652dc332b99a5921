package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// contactLimit is for all steps and all constants: PowerShell starts five times,
// which takes seconds each on an old machine. It is below what River rescues after.
const contactLimit = 90 * time.Second

// contacter works the jobs of kind first-contact: it only reads on the host and
// never touches rollout state.
type contacter struct {
	river.WorkerDefaults[store.FirstContact]
	engine *Engine
}

// Timeout is a little more than the host is given.
func (c *contacter) Timeout(*river.Job[store.FirstContact]) time.Duration {
	return contactLimit + saveLimit + 10*time.Second
}

// Work makes the contact and keeps what came of it.
func (c *contacter) Work(ctx context.Context, job *river.Job[store.FirstContact]) error {
	ctx = labelled(ctx, "first-contact", "", "")
	e := c.engine
	target, err := e.store.ProbeTarget(ctx, job.Args.Host)
	if err != nil {
		if errors.Is(err, rollout.ErrNotFound) {
			return nil // taken out of the inventory meanwhile
		}
		return river.JobSnooze(e.paced(errorPause))
	}
	asking, cancel := context.WithTimeout(ctx, contactLimit)
	defer cancel()
	way, err := e.way(asking, target.Host, target.FQDN, target.Profile)
	var bar *barred
	if errors.As(err, &bar) && bar.brief { // the secret is tried at another host first
		return river.JobSnooze(e.paced(triedPause))
	}
	found := e.contact(asking, target, way, err)
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	found.By = job.Args.By
	saving, done := context.WithTimeout(ctx, saveLimit)
	defer done()
	err = e.store.NoteContact(saving, store.Actor{Name: "wavekeeper"}, target.Host, found)
	switch {
	case errors.Is(err, rollout.ErrConflict): // another machine meanwhile
		e.log.Info("first contact not kept", "host", target.Host.Name, "err", err)
	case err != nil:
		e.log.Warn("first contact not saved", "host", target.Host.Name, "err", err)
		return river.JobSnooze(e.paced(errorPause))
	}
	return nil
}

// contact tries one step after the other. What keeps us from the way to the host
// (err) is the one step of it.
func (e *Engine) contact(ctx context.Context, target store.ProbeTarget, way *way, err error) store.Contact {
	if err != nil {
		outcome := winrm.OutcomeRefused
		var bar *barred
		if errors.As(err, &bar) {
			outcome = bar.outcome
		}
		return store.Contact{
			Outcome: outcome, Error: err.Error(),
			Steps: []store.ContactStep{{Name: "profile", State: winrm.StepFailed, Words: err.Error(), Remedy: "Nothing was sent. Correct the server's address, or have an admin look at the profile and its credential."}},
		}
	}
	defer way.done(ctx)
	hide := secrets{way.password}
	if runas, err := e.account(ctx, way.profile, store.PurposeRunAs); err == nil {
		hide = append(hide, runas.password)
	}
	steps, err := way.conn.Explain(ctx)
	c := store.Contact{Outcome: winrm.Outcome(err)}
	for _, s := range steps {
		c.Steps = append(c.Steps, store.ContactStep{Name: s.Name, State: s.State, Words: hide.redact(s.Words), Remedy: s.Remedy, Millis: s.Millis})
	}
	if err != nil {
		c.Error = hide.redact(err.Error())
		// A certificate that nobody confirmed yet is put before a person.
		if bar, barErr := way.barred(context.WithoutCancel(ctx)); barErr != nil {
			e.log.Warn("what a host showed was not kept", "host", target.Host.Name, "err", barErr)
		} else if bar != nil {
			c.Outcome, c.Error = bar.outcome, hide.redact(bar.Error())
		}
		return c
	}
	host := windows.New(way.conn)
	checks, err := host.Constants(ctx)
	if err != nil {
		c.Outcome, c.Error = winrm.Outcome(err), hide.redact(err.Error())
	}
	if os, err := host.OS(ctx); err == nil {
		c.Windows = os.Name()
	}
	for _, k := range checks {
		c.Checks = append(c.Checks, store.ConstantCheck{Name: k.Name, Expected: k.Expected, Found: hide.redact(k.Found), Verdict: string(k.Verdict)})
	}
	return c
}
