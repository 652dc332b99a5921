package httpd

import (
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

// spellWords are the two times of a cluster that people ask about, as forecast,
// clock or result; empty for runbooks without them.
func (s *server) spellWords(u store.UpgradeView, clock ui.Clock) (downtime, exposed string) {
	spells := u.Spells(s.Runbooks, ended(u.RolloutState), clock.Now)
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
	if s.Times == 0 {
		return usually
	}
	lasted := ui.Duration(s.Lasted)
	if s.Runs {
		lasted += " so far"
	}
	if s.Times > 1 {
		lasted += " (" + ui.Count(s.Times, "time", "times") + ")"
	}
	return lasted + ", " + usually
}
