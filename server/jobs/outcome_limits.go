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

// limits notes what came of the step, and which of its limits have passed: once
// each, as an event. They say something to people and end nothing; only the hard
// limit does.
func (c *course) limits(out runbook.Outcome) {
	plain, row := c.plain(c.w.Step), c.step(c.w.Step)
	c.save.Output = len(out.Log) > 0 || out.Phase != "" && out.Phase != c.w.Phase || out.Kind == runbook.Done || out.Kind == runbook.Failed ||
		out.Percent > 0 && c.percent(out.Percent) > c.w.Percent
	from := c.from()
	if from.IsZero() || c.ends(out) || out.Barred {
		return
	}
	if plain.Soft > 0 && row.SoftAt == nil && c.now.Sub(from) > plain.Soft {
		c.save.Soft = true
		c.event(store.EventStep, fmt.Sprintf("%s: takes longer than expected, more than %s by now", c.words(c.w.Step), spoken(plain.Soft)))
	}
	quiet := from
	if c.w.OutputAt != nil && c.w.OutputAt.After(quiet) {
		quiet = *c.w.OutputAt
	}
	told := row.SilentAt != nil && !row.SilentAt.Before(quiet)
	if plain.Silence > 0 && !c.save.Output && !told && out.Kind == runbook.Again && !out.Unheard && c.now.Sub(quiet) > plain.Silence {
		c.save.Silent = true
		c.event(store.EventStep, fmt.Sprintf("%s: nothing new for more than %s; the host answers, and nothing is interrupted", c.words(c.w.Step), spoken(plain.Silence)))
	}
}

// ends reports whether the outcome ends the step.
func (c *course) ends(out runbook.Outcome) bool {
	return out.Kind != runbook.Again && out.Kind != runbook.OutOfSight
}

// from is when the step's limits began to count, and as much later as nobody
// looked at it; zero when it has not begun.
func (c *course) from() time.Time {
	from := c.counted()
	if from.IsZero() {
		return from
	}
	return from.Add(c.unwatched(from))
}

// counted is when the step's limits began to count.
func (c *course) counted() time.Time {
	row := c.step(worked(c.w))
	switch {
	case row.LimitsFrom != nil:
		return *row.LimitsFrom
	case row.StartedAt != nil:
		return *row.StartedAt
	}
	return time.Time{}
}

// overdue reports whether the step has been in work beyond its hard limit.
func (c *course) overdue() (bool, time.Duration) {
	limit, from := c.plain(worked(c.w)).Hard, c.from()
	return limit > 0 && !from.IsZero() && c.now.Sub(from) > limit, limit
}

// outOfSight is a host that cannot be asked while a host task may run on it, or
// on which a Setup runs that must not be disturbed: nothing is tried until it
// can be, and beyond the hard limit a person decides.
func (c *course) outOfSight(out runbook.Outcome) {
	over, limit := c.overdue()
	switch {
	case over && !out.Barred:
		c.save.Message = fmt.Sprintf("Not seen to end within the step's limit of %s: %s", spoken(limit), cmp.Or(out.Headline, out.Message))
		c.save.Remedy = cmp.Or(out.Remedy, "Look at the host. What ran there may have ended well: have it looked at again, or mark the server as repaired and let it be verified.")
		c.keepReason()
		c.decide(rollout.Unknown)
		return
	case c.w.State != rollout.OutOfSight && out.Answers:
		c.event(store.EventStep, fmt.Sprintf("%s: waits: %s", c.words(c.w.Step), out.Message))
	case c.w.State != rollout.OutOfSight:
		c.event(store.EventStep, fmt.Sprintf("%s: out of sight: %s", c.words(c.w.Step), out.Message))
	}
	c.save.To, c.save.StepTo = rollout.OutOfSight, rollout.OutOfSight
	switch {
	case c.w.Unwinding:
	case out.Answers:
		c.save.Remedy = cmp.Or(out.Remedy, "The host answers. What runs on it is waited for, and nothing is changed under it.")
	default:
		c.save.Message = cmp.Or(out.Headline, out.Message)
		if !out.Barred { // who is not let in needs no word on sight
			c.save.Message = c.sight() + c.save.Message
		}
		c.save.Remedy = cmp.Or(out.Remedy, fmt.Sprintf(
			"What runs on the host goes on by itself, nothing is done to it meanwhile, and no other server is started in its place. "+
				"Once the host answers this goes on by itself. If it does not within %s of the step's begin, a person decides; a person can have it looked at now.", spoken(limit)))
	}
	c.again(out.After)
}

// sight says since when nothing was heard.
func (c *course) sight() string {
	if c.w.HeardAt == nil {
		return "Out of sight: "
	}
	return fmt.Sprintf("Out of sight since %s UTC: ", c.w.HeardAt.UTC().Format("2006-01-02 15:04"))
}

// besides stands between why an attempt failed and what its put-back waits for.
const besides = " Besides, while it was put back: "

// keepReason lets the row go on saying why the attempt failed, and adds what
// keeps the put-back from its end: a Setup that still runs, for instance.
func (c *course) keepReason() {
	if c.w.Unwinding {
		why, _, _ := strings.Cut(c.w.Message, besides) // what an earlier look added is over
		c.save.Message, c.save.Remedy = why+besides+c.save.Message, c.w.Remedy
	}
}

// late is a step that asked to come back beyond its hard limit. What cannot be
// repeated may still be running on the host: a person decides.
func (c *course) late(out runbook.Outcome, limit time.Duration) {
	message := fmt.Sprintf("Not finished within %s: %s", spoken(limit), cmp.Or(out.Headline, out.Message))
	remedy := cmp.Or(out.Remedy, "See whether the host answers, and what it was last doing; then run again.")
	if c.plain(c.w.Step).Repeatable {
		c.failed(runbook.Outcome{Message: message, Remedy: remedy})
		return
	}
	c.save.Message, c.save.Remedy = message, remedy
	c.keepReason()
	c.decide(rollout.Unknown)
}

// spoken writes a limit for people: "6 h", "90 min".
func spoken(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	default:
		return d.String()
	}
}
