package jobs

import (
	"fmt"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// decision is the tick of a decision step: a named person had something done on
// the host. However it ends, the upgrade goes where it is meant to return to, and
// its ordinary steps stay as they are.
func (c *course) decision(out runbook.Outcome) {
	c.save.Step, c.save.StepFrom, c.save.Phase = c.w.Decision, c.step(c.w.Decision).State, c.w.Phase
	c.save.Message, c.save.Remedy, c.save.Percent = c.w.Message, c.w.Remedy, c.w.Percent
	c.save.Build = out.Build
	switch out.Kind {
	case runbook.Again, runbook.OutOfSight:
		if over, limit := c.overdue(); over && !out.Barred {
			out.Message = fmt.Sprintf("Not done within %s: %s", spoken(limit), out.Message)
			break
		}
		c.save.StepTo, c.save.Heard = rollout.Running, out.Kind == runbook.Again && !out.Unheard
		c.save.To = rollout.Running
		if c.w.State == rollout.OutOfSight {
			c.save.To = rollout.OutOfSight
		}
		c.again(out.After)
		return
	case runbook.Done:
		c.end(rollout.Done, out)
		return
	case runbook.Failed, runbook.Interrupted, runbook.Unknown:
	default:
		out.Message = fmt.Sprintf("the runbook said %q, which is no outcome", out.Kind)
	}
	c.end(rollout.Failed, out)
}

// end ends the decision step; the upgrade's row says what came of it.
func (c *course) end(state rollout.State, out runbook.Outcome) {
	c.save.StepTo, c.save.To, c.save.Decided = state, c.w.Returns, true
	c.save.Message, c.save.StepMessage = out.Message, out.Message
	if out.Remedy != "" {
		c.save.Remedy = out.Remedy
	}
	if c.w.Returns == rollout.Running || c.w.Returns == rollout.OutOfSight {
		c.save.DueAt = c.now
	}
	c.decisionEvent(store.EventStep, fmt.Sprintf("%s: %s: %s", c.words(c.w.Decision), state, out.Message))
	if c.save.From != c.save.To {
		c.decisionEvent(store.EventUpgrade, fmt.Sprintf("%s is %s", c.w.Server.Name, c.save.To.Words()))
	}
}

func (c *course) decisionEvent(kind, text string) {
	c.event(kind, text)
	c.save.Events[len(c.save.Events)-1].Step = c.w.Decision
}
