package jobs

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// after computes what a tick's outcome changes: the one place that turns what a
// step said into states. It is pure.
func after(w store.UpgradeWork, table rollout.Runbook, out runbook.Outcome, now time.Time) store.TickSave {
	c := course{w: w, table: table, now: now}
	c.save = store.TickSave{
		Upgrade: w.ID, Rollout: w.Rollout, Generation: w.Generation, Wave: w.Wave, Server: w.Server.Name, ServerID: w.ServerID,
		From: w.State, To: rollout.Running, Unwinding: w.Unwinding, Hooked: w.Hooked, Kind: w.Kind, Message: cmp.Or(out.Headline, out.Message), Remedy: out.Remedy,
		Phase: out.Phase, Build: out.Build, Heard: (out.Kind != runbook.OutOfSight || out.Answers) && !out.Unheard,
		Step: w.Step, StepFrom: c.step(w.Step).State, StepTo: rollout.Running, StepMessage: out.Message, Show: w.Step,
		Log: out.Log,
	}
	for _, e := range out.Evidence {
		c.save.Evidence = append(c.save.Evidence, store.Evidence{Kind: e.Kind, Name: e.Name, Data: e.Data})
	}
	if len(w.Hosts) > 0 {
		c.save.Host = w.Hosts[0].ID
	}
	if w.Decision != "" {
		c.decision(out)
		return c.save
	}
	if w.Unwinding { // the row keeps saying why the attempt failed
		c.save.Message, c.save.Remedy = w.Message, w.Remedy
	}
	for _, f := range out.Findings {
		text := f.Text
		if f.Evidence != "" {
			text += " (" + f.Evidence + ")"
		}
		c.save.Findings = append(c.save.Findings, store.Finding{Rule: f.Rule, Severity: string(f.Severity), Waived: f.Waived, Evidence: text, Remedy: f.Remedy})
	}
	if out.Remedy == "" && out.Kind != runbook.Again && out.Kind != runbook.Done && out.Kind != runbook.OutOfSight {
		out.Remedy = "Look at the host and cure the cause; then run again."
		if !w.Unwinding {
			c.save.Remedy = out.Remedy
		}
	}
	c.limits(out)
	c.move(out)
	c.save.Percent = c.percent(out.Percent)
	return c.save
}

// notSkipped begins the message of an upgrade that was to be skipped and is not.
const notSkipped = "Not skipped, since not everything is put back"

// course is one tick's way from an outcome to rows.
type course struct {
	w     store.UpgradeWork
	table rollout.Runbook
	now   time.Time
	save  store.TickSave
}

func (c *course) move(out runbook.Outcome) {
	switch out.Kind {
	case runbook.Done:
		c.done()
	case runbook.Failed:
		c.failed(out)
	case runbook.Interrupted:
		c.decide(rollout.Interrupted)
	case runbook.Unknown:
		c.decide(rollout.Unknown)
	case runbook.OutOfSight:
		c.outOfSight(out)
	case runbook.Again:
		if over, limit := c.overdue(); over && !out.Barred {
			c.late(out, limit)
		} else {
			c.again(out.After)
		}
	default:
		c.save.Message = fmt.Sprintf("the runbook said %q, which is no outcome", out.Kind)
		c.decide(rollout.Unknown)
	}
	if c.save.From != c.save.To {
		c.event(store.EventUpgrade, fmt.Sprintf("%s is %s", c.w.Server.Name, c.save.To.Words()))
	}
}

// done ends the step and begins the next; after the last the upgrade ends.
func (c *course) done() {
	c.save.StepTo = rollout.Done
	c.event(store.EventStep, c.words(c.w.Step)+": done")
	c.onward()
}

// onward begins the step after the present one, or ends the upgrade.
func (c *course) onward() {
	next, ok := c.following()
	if ok {
		c.save.Next, c.save.Show = next, next
		c.save.DueAt = c.now
		c.event(store.EventStep, c.words(next)+": begins")
		return
	}
	if c.save.Unwinding {
		c.save.To = rollout.Failed
		switch {
		case c.w.Skipping && c.putBack():
			c.save.To = rollout.Skipped
		case c.w.Skipping && !strings.HasPrefix(c.save.Message, notSkipped):
			c.save.Message = notSkipped
		}
		c.save.Show = c.failedStep()
		return
	}
	c.save.To = rollout.Done
	c.save.Message, c.save.Remedy = "", ""
}

// failed ends the step and walks the steps that put back what was changed;
// only after them the upgrade is failed.
func (c *course) failed(out runbook.Outcome) {
	c.save.StepTo = rollout.Failed
	if !c.w.Unwinding && c.plain(c.w.Step).Hook != "" {
		c.save.Hooked = true
	}
	c.event(store.EventStep, c.words(c.w.Step)+": failed: "+out.Message)
	switch {
	case !c.w.Unwinding:
		c.save.Unwinding = true
		c.save.Message, c.save.Remedy = out.Message, out.Remedy
	case c.w.Skipping:
		c.save.Message = notSkipped + ": " + out.Message
		c.save.Remedy = out.Remedy
	}
	c.onward()
}

// putBack reports whether every step that puts back reached its goal and left
// nothing in the ledger.
func (c *course) putBack() bool {
	for _, s := range c.table.Steps {
		state := c.step(s.Name).State
		if s.Name == c.w.Step {
			state = c.save.StepTo
		}
		if s.PutBack && state != rollout.Done {
			return false
		}
	}
	return len(c.w.Ledger) == 0
}

func (c *course) decide(state rollout.State) {
	c.save.To, c.save.StepTo = state, state
}

func (c *course) again(pause time.Duration) {
	c.save.DueAt = c.now.Add(max(pause, 0))
}

// following is the step that comes after the present one: the next row, or
// while unwinding the next row of those that put back. An attempt that began with
// a person's word that the server is repaired begins nothing without return.
func (c *course) following() (string, bool) {
	past := false
	for _, s := range c.table.Steps {
		if past && c.w.Repaired && s.NoReturn {
			continue // passed over: what was repaired by hand is verified only
		}
		if past && (!c.save.Unwinding || s.PutBack) {
			return s.Name, true
		}
		past = past || s.Name == c.w.Step
	}
	return "", false
}

// failedStep is where the attempt failed or was given up: what the row shows in
// the end.
func (c *course) failedStep() string {
	for _, s := range c.table.Steps {
		switch c.step(s.Name).State {
		case rollout.Failed, rollout.Interrupted, rollout.Unknown:
			return s.Name
		case rollout.Waiting, rollout.Held, rollout.Running, rollout.Paused, rollout.OutOfSight, rollout.Skipped, rollout.Done:
		}
	}
	return c.w.Step
}

// percent weighs the steps by how long they usually take.
func (c *course) percent(ofStep int) int {
	if c.save.To == rollout.Done {
		return 100
	}
	if c.save.Unwinding {
		return c.w.Percent
	}
	var all, gone time.Duration
	reached := false
	for _, s := range c.table.Steps {
		all += s.Expected
		if s.Name == c.save.Show {
			reached = true
			if c.save.Show == c.w.Step {
				gone += s.Expected * time.Duration(min(max(ofStep, 0), 100)) / 100
			}
		}
		if !reached {
			gone += s.Expected
		}
	}
	if all == 0 {
		return c.w.Percent
	}
	return max(c.w.Percent, min(99, int(100*gone/all)))
}

func (c *course) event(kind, text string) {
	c.save.Events = append(c.save.Events, store.Event{
		Kind: kind, Step: c.w.Step, Text: text,
		Data: map[string]any{"upgrade": c.w.ID, "state": string(c.save.To)},
	})
}

func (c *course) step(name string) store.StepWork {
	for _, s := range c.w.Steps {
		if s.Name == name {
			return s
		}
	}
	return store.StepWork{}
}

func (c *course) plain(name string) rollout.Step {
	for _, s := range c.table.Steps {
		if s.Name == name {
			return s
		}
	}
	step, _ := c.table.Decision(name)
	return step
}

func (c *course) words(name string) string {
	if w := c.plain(name).Words; w != "" {
		return w
	}
	return name
}
