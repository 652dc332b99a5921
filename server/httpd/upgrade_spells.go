package httpd

import (
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

// spellWords are the two times of a cluster that people ask about, as forecast,
// clock or result; empty for runbooks without them.
func spellWords(book rollout.Runbook, u store.UpgradeView, clock ui.Clock) (downtime, exposed string) {
	times := make([]rollout.StepTime, len(u.Steps))
	for i, s := range u.Steps {
		times[i] = rollout.StepTime{Name: s.Name, StartedAt: s.StartedAt, EndedAt: s.EndedAt}
	}
	spells := book.Spells(times, u.EndedAt == nil && u.StartedAt != nil, clock.Now)
	return spellOf(spells.Downtime), spellOf(spells.Exposed)
}

// rowTimes are the same two times as a row of the rollout has room for them.
func rowTimes(spells rollout.Spells) []string {
	var out []string
	for _, one := range []struct {
		label string
		spell rollout.Spell
	}{{"Downtime", spells.Downtime}, {"No failover", spells.Exposed}} {
		if words := spellOf(one.spell); words != "" {
			out = append(out, one.label+": "+words)
		}
	}
	return out
}

func spellOf(s rollout.Spell) string {
	if s.Expected == 0 {
		return ""
	}
	usually := "usually " + ui.Duration(s.Expected)
	switch {
	case !s.Begun:
		return usually
	case s.Runs:
		return ui.Duration(s.Lasted) + " so far, " + usually
	default:
		return ui.Duration(s.Lasted) + ", " + usually
	}
}
