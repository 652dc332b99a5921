package rollout

import (
	"slices"
	"time"
)

// StepTime is when a step was worked on in one attempt of an upgrade; nil = it
// did not begin, or was not done.
type StepTime struct {
	Name      string
	StartedAt *time.Time
	DoneAt    *time.Time // also of one that a person passed over
	Ran       bool       // a program of it was begun on its host: it did not find all done already
}

// Stretch is a time from one moment to another.
type Stretch struct {
	From time.Time
	To   *time.Time // nil = it has not ended
}

// Times are what the clocks of an upgrade are read from, over all its attempts, in
// any order.
type Times struct {
	Steps []StepTime
	// Down is when clustered mailbox servers did not serve: from their being
	// stopped until a step, or what puts back, proved them online.
	Down []Stretch
}

// Spell is a time that people ask about: how long it is expected to last, how
// long it lasted so far in all, and whether it lasts still.
type Spell struct {
	Expected time.Duration
	Lasted   time.Duration
	Times    int // how often it began; 0 = not yet
	Runs     bool
}

// Spells are the two times of an upgrade that its runbook's clocks mark.
type Spells struct {
	Downtime Spell // people cannot reach their mailboxes
	Exposed  Spell // the cluster has no node to move to
}

// Spells reads the clocks of a runbook: forecast from what its steps usually
// take, clock and result from what happened in all attempts of an upgrade. What
// began in one attempt goes on until it ends, be it in a later one: nobody served
// people between them. Downtime is read from the servers that were stopped; exposed
// from the steps, where one that found nothing to do begins nothing. ended is when
// nothing more came of the upgrade, at which what has no end stops to count; nil =
// it goes on, or may.
func (b Runbook) Spells(t Times, ended *time.Time, now time.Time) Spells {
	var down []Stretch
	if b.marks(DowntimeBegins) {
		down = slices.Clone(t.Down)
	}
	return Spells{
		Downtime: spell(b.between(DowntimeBegins, DowntimeEnds), down, ended, now),
		Exposed:  spell(b.between(ExposedBegins, ExposedEnds), b.marked(ExposedBegins, ExposedEnds, t.Steps), ended, now),
	}
}

func (b Runbook) marks(clock Clock) bool {
	return slices.ContainsFunc(b.Steps, func(s Step) bool { return s.Clock == clock })
}

// between is what the steps from one mark to the other usually take.
func (b Runbook) between(begins, ends Clock) time.Duration {
	var sum time.Duration
	open := false
	for _, s := range b.Steps {
		open = open || s.Clock == begins
		if open {
			sum += s.Expected
		}
		open = open && s.Clock != ends
	}
	return sum
}

// marked are the times between the marks of steps. What begins while it lasts
// already goes on.
func (b Runbook) marked(begins, ends Clock, steps []StepTime) []Stretch {
	type mark struct {
		at   time.Time
		ends bool
	}
	var all []mark
	for _, one := range steps {
		s, _ := b.Step(one.Name)
		switch {
		case s.Clock == begins && one.StartedAt != nil && one.Ran:
			all = append(all, mark{*one.StartedAt, false})
		case s.Clock == ends && one.DoneAt != nil:
			all = append(all, mark{*one.DoneAt, true})
		}
	}
	slices.SortStableFunc(all, func(a, b mark) int { return a.at.Compare(b.at) })
	var out []Stretch
	open := false
	for _, m := range all {
		switch {
		case m.ends && open:
			out[len(out)-1].To = &m.at
			open = false
		case !m.ends && !open:
			out = append(out, Stretch{From: m.at})
			open = true
		}
	}
	return out
}

// spell sums up times, of which those that overlap are one.
func spell(expected time.Duration, times []Stretch, ended *time.Time, now time.Time) Spell {
	out := Spell{Expected: expected}
	slices.SortStableFunc(times, func(a, b Stretch) int { return a.From.Compare(b.From) })
	var counted time.Time
	for _, one := range times {
		end := now
		switch {
		case one.To != nil:
			end = *one.To
		case ended != nil:
			end = *ended
		default:
			out.Runs = true
		}
		begin := one.From
		if out.Times == 0 || begin.After(counted) {
			out.Times++
		} else {
			begin = counted
		}
		if end.After(begin) {
			out.Lasted += end.Sub(begin)
		}
		if end.After(counted) {
			counted = end
		}
	}
	return out
}

// Expected is how long the runbook usually takes: the sum of its steps.
func (b Runbook) Expected() time.Duration {
	var sum time.Duration
	for _, s := range b.Steps {
		sum += s.Expected
	}
	return sum
}
