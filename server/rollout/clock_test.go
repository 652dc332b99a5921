package rollout_test

import (
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

// TestSpellsAreReadFromTheClocks: two clustered mailbox servers, one after the
// other, and an exposed time around the first, over all attempts.
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
	forecast := func(lasted, times int, runs bool, expected int) rollout.Spell {
		return rollout.Spell{Expected: minutes(expected), Lasted: minutes(lasted), Times: times, Runs: runs}
	}
	down := func(lasted, times int, runs bool) rollout.Spell { return forecast(lasted, times, runs, 20) }
	exposed := func(lasted, times int, runs bool) rollout.Spell { return forecast(lasted, times, runs, 90) }
	ran := func(name string, from, to *time.Time) rollout.StepTime {
		return rollout.StepTime{Name: name, StartedAt: from, DoneAt: to, Ran: true}
	}
	idle := func(name string, from, to *time.Time) rollout.StepTime {
		return rollout.StepTime{Name: name, StartedAt: from, DoneAt: to}
	}
	for _, c := range []struct {
		name    string
		times   rollout.Times
		ended   *time.Time
		now     int
		down    rollout.Spell
		exposed rollout.Spell
	}{
		{"nothing began", rollout.Times{}, nil, 0, down(0, 0, false), exposed(0, 0, false)},
		{
			"the first is down",
			rollout.Times{Steps: []rollout.StepTime{ran("setup-1", at(0), at(50)), idle("stop-1", at(50), at(51))}, Down: []rollout.Stretch{{*at(50), nil}}},
			nil, 55, down(5, 1, true), exposed(55, 1, true),
		},
		{
			"all is done",
			rollout.Times{Steps: []rollout.StepTime{ran("setup-1", at(0), at(50)), idle("healthy", at(70), at(80))}, Down: []rollout.Stretch{{*at(50), at(58)}, {*at(60), at(70)}}},
			at(81), 500, down(18, 2, false), exposed(80, 1, false),
		},
		{
			"stopped in attempt 1, online in attempt 2: down, and without failover, all the time between",
			rollout.Times{
				Steps: []rollout.StepTime{idle("healthy", at(310), at(320)), idle("setup-1", at(300), at(301)), ran("setup-1", at(0), at(50)), idle("healthy", nil, nil)},
				Down:  []rollout.Stretch{{*at(50), at(305)}},
			},
			nil, 330, down(255, 1, false), exposed(320, 1, false),
		},
		{
			"failed in attempt 1, and nobody came yet",
			rollout.Times{Steps: []rollout.StepTime{ran("setup-1", at(0), nil)}, Down: []rollout.Stretch{{*at(50), nil}}},
			nil, 300, down(250, 1, true), exposed(300, 1, true),
		},
		{
			"put back in attempt 1, stopped again in attempt 2",
			rollout.Times{
				Steps: []rollout.StepTime{ran("setup-1", at(0), at(50)), idle("healthy", at(60), at(62)), ran("setup-1", at(200), at(230)), idle("healthy", at(240), at(250))},
				Down:  []rollout.Stretch{{*at(232), at(240)}, {*at(50), at(55)}},
			},
			nil, 300, down(13, 2, false), exposed(112, 2, false),
		},
		{
			"attempt 2 finds all done already: nothing is added",
			rollout.Times{
				Steps: []rollout.StepTime{ran("setup-1", at(0), at(50)), idle("healthy", at(60), at(62)), idle("setup-1", at(200), at(201)), idle("healthy", at(240), at(241))},
				Down:  []rollout.Stretch{{*at(50), at(55)}},
			},
			at(242), 300, down(5, 1, false), exposed(62, 1, false),
		},
		{
			"given up while it was down: it counts no further",
			rollout.Times{Steps: []rollout.StepTime{ran("setup-1", at(0), at(50))}, Down: []rollout.Stretch{{*at(50), nil}}},
			at(71), 500, down(21, 1, false), exposed(71, 1, false),
		},
		{
			"a stop that is on record of two nodes is one",
			rollout.Times{Down: []rollout.Stretch{{*at(50), at(60)}, {*at(55), at(60)}}},
			nil, 500, down(10, 1, false), exposed(0, 0, false),
		},
	} {
		got := book.Spells(c.times, c.ended, *at(c.now))
		if got.Downtime != c.down || got.Exposed != c.exposed {
			t.Errorf("%s: %+v, want %+v and %+v", c.name, got, c.down, c.exposed)
		}
	}
	if got := book.Expected(); got != minutes(92) {
		t.Errorf("Expected = %s", got)
	}
}
