package preflight

import (
	"slices"
	"testing"
)

// A check outside an upgrade does not count as trouble what the upgrade itself
// brings about before Setup: media that is not there yet, the node that serves
// now. Anything else weighs what it weighs in an upgrade.
func TestAheadOfAnUpgradeItsOwnStepsAreOnlyNoted(t *testing.T) {
	t.Parallel()
	noted := map[string]bool{}
	for _, c := range trips {
		_, trip := c.subjects()
		within, _ := found(Judge(trip), c.rule)
		trip.Ahead = true
		ahead, _ := found(Judge(trip), c.rule)
		if within.Severity == ahead.Severity {
			continue
		}
		if noted[c.rule] = true; ahead.Severity != Info || ahead.Remedy == "" {
			t.Errorf("%s: %+v", c.rule, ahead)
		}
	}
	absent := trips[slices.IndexFunc(trips, func(c tripCase) bool { return c.rule == "media" })]
	_, s := absent.subjects()
	s.Media.Absent, s.Media.Right = true, false
	if f, _ := found(Judge(s), "media"); f.Severity != Blocker {
		t.Errorf("in an upgrade absent media is %+v", f)
	}
	s.Ahead = true
	if f, _ := found(Judge(s), "media"); f.Severity != Info {
		t.Errorf("ahead of one absent media is %+v", f)
	}
	s.Media.Absent = false
	if f, _ := found(Judge(s), "media"); f.Severity != Blocker {
		t.Errorf("changed media is %+v", f)
	}
	if len(noted) != 2 || !noted["cluster-passive"] || !noted["cluster-groups"] {
		t.Errorf("only noted ahead: %v", noted)
	}
}
