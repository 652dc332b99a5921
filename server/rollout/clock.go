package rollout

import "time"

// StepTime is when a step of an upgrade began and ended; nil = it did not.
type StepTime struct {
	Name      string
	StartedAt *time.Time
	EndedAt   *time.Time
}

// Spell is a time that people ask about: how long it is expected to last, how
// long it lasted so far, and whether it lasts still.
type Spell struct {
	Expected time.Duration
	Lasted   time.Duration
	Begun    bool
	Runs     bool
}

// Spells are the two times of an upgrade that its runbook's clocks mark.
type Spells struct {
	Downtime Spell // people cannot reach their mailboxes
	Exposed  Spell // the cluster has no node to move to
}

// Spells reads the clocks of a runbook: forecast from what its steps usually
// take, clock and result from the times of an upgrade's steps. Several clustered
// mailbox servers that are taken one after the other count one after the other.
// A step that was passed over has no times and marks nothing; a spell whose end
// never came lasts until the last step that ended, and until now while the upgrade
// is in work. Of two attempts the steps hold the times of the newest.
func (b Runbook) Spells(steps []StepTime, inWork bool, now time.Time) Spells {
	by := map[string]StepTime{}
	var last time.Time
	for _, s := range steps {
		by[s.Name] = s
		if s.EndedAt != nil && s.EndedAt.After(last) {
			last = *s.EndedAt
		}
	}
	if inWork || last.IsZero() {
		last = now
	}
	return Spells{
		Downtime: b.spell(DowntimeBegins, DowntimeEnds, by, inWork, last),
		Exposed:  b.spell(ExposedBegins, ExposedEnds, by, inWork, last),
	}
}

func (b Runbook) spell(begins, ends Clock, by map[string]StepTime, inWork bool, last time.Time) Spell {
	var out Spell
	var since *time.Time
	open := false
	for _, s := range b.Steps {
		at := by[s.Name]
		if s.Clock == begins {
			open = true
			if since == nil {
				since = at.StartedAt
			}
		}
		if open {
			out.Expected += s.Expected
		}
		if s.Clock != ends {
			continue
		}
		open = false
		if since != nil && at.EndedAt != nil {
			out.Begun = true
			out.Lasted += max(0, at.EndedAt.Sub(*since))
			since = nil
		}
	}
	if since != nil {
		out.Begun, out.Runs = true, inWork
		out.Lasted += max(0, last.Sub(*since))
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
