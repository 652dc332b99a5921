package rollout_test

import (
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

// TestSpellsAreReadFromTheClocks: two clustered mailbox servers, one after the
// other, and an exposed time around the first.
func TestSpellsAreReadFromTheClocks(t *testing.T) {
	t.Parallel()
	step := func(name string, clock rollout.Clock, minutes int) rollout.Step {
		return rollout.Step{Name: name, Clock: clock, Expected: time.Duration(minutes) * time.Minute}
	}
	book := rollout.Runbook{Name: "scc", Steps: []rollout.Step{
		step("choose", "", 1), step("setup-1", rollout.ExposedBegins, 60), step("stop-1", rollout.DowntimeBegins, 2), step("move-1", "", 3), step("online-1", rollout.DowntimeEnds, 5),
		step("stop-2", rollout.DowntimeBegins, 2), step("online-2", rollout.DowntimeEnds, 8), step("healthy", rollout.ExposedEnds, 10), step("tidy", "", 1),
	}}
	noon := time.Date(2008, 1, 7, 12, 0, 0, 0, time.UTC)
	at := func(minute int) *time.Time {
		when := noon.Add(time.Duration(minute) * time.Minute)
		return &when
	}
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	expected := rollout.Spells{Downtime: rollout.Spell{Expected: minutes(20)}, Exposed: rollout.Spell{Expected: minutes(90)}}
	for _, c := range []struct {
		name    string
		steps   []rollout.StepTime
		inWork  bool
		now     int
		down    rollout.Spell
		exposed rollout.Spell
	}{
		{"nothing began", nil, false, 0, expected.Downtime, expected.Exposed},
		{
			"the first is down",
			[]rollout.StepTime{{"setup-1", at(0), at(50)}, {"stop-1", at(50), at(51)}, {"move-1", at(51), nil}},
			true, 55,
			rollout.Spell{Expected: minutes(20), Lasted: minutes(5), Begun: true, Runs: true},
			rollout.Spell{Expected: minutes(90), Lasted: minutes(55), Begun: true, Runs: true},
		},
		{
			"the second failed while it was down",
			[]rollout.StepTime{{"setup-1", at(0), at(50)}, {"stop-1", at(50), at(51)}, {"online-1", at(54), at(58)}, {"stop-2", at(60), at(61)}, {"online-2", at(61), at(70)}, {"tidy", at(70), at(71)}},
			false, 500,
			rollout.Spell{Expected: minutes(20), Lasted: minutes(18), Begun: true},
			rollout.Spell{Expected: minutes(90), Lasted: minutes(71), Begun: true},
		},
		{
			"all is done",
			[]rollout.StepTime{{"setup-1", at(0), at(50)}, {"stop-1", at(50), at(51)}, {"online-1", at(54), at(58)}, {"stop-2", at(60), at(61)}, {"online-2", at(61), at(70)}, {"healthy", at(70), at(80)}, {"tidy", at(80), at(81)}},
			false, 500,
			rollout.Spell{Expected: minutes(20), Lasted: minutes(18), Begun: true},
			rollout.Spell{Expected: minutes(90), Lasted: minutes(80), Begun: true},
		},
	} {
		got := book.Spells(c.steps, c.inWork, *at(c.now))
		if got.Downtime != c.down || got.Exposed != c.exposed {
			t.Errorf("%s: %+v, want %+v and %+v", c.name, got, c.down, c.exposed)
		}
	}
	if got := book.Expected(); got != minutes(92) {
		t.Errorf("Expected = %s", got)
	}
}
