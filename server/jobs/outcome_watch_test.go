package jobs

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// watchedNow is the memory of a step that was looked at all the time.
func watchedNow() map[string]string {
	return map[string]string{lookedAt: strconv.FormatInt(noon.Unix()-2, 10)}
}

// looked is the upgrade as the tick at the moment leaves it: what the step
// remembers, and the column from which its limits count.
func looked(w store.UpgradeWork, step string, now time.Time, barred bool) store.UpgradeWork {
	save := store.TickSave{Memory: map[string]string{}}
	(&course{w: w, table: runbook.Standalone().Plain(), now: now}).looked(&save, barred)
	w.Steps = slices.Clone(w.Steps)
	return setStep(w, step, func(s *store.StepWork) {
		s.Memory = save.Memory
		if !save.LimitsFrom.IsZero() {
			s.LimitsFrom = &save.LimitsFrom
		}
	})
}

// TestTheColumnSaysFromWhenLimitsCount: what a page computes from it is what the
// ticks judge by, however often nobody looked.
func TestTheColumnSaysFromWhenLimitsCount(t *testing.T) {
	t.Parallel()
	w, now := atStep("setup", time.Hour, false), noon
	if at := looked(w, "setup", now, false).Steps[slices.IndexFunc(w.Steps, func(s store.StepWork) bool { return s.Name == "setup" })].LimitsFrom; at != nil {
		t.Errorf("looked at all the time the limits count from %s", at)
	}
	for _, away := range []time.Duration{time.Hour, 0, 3 * time.Hour} {
		w = looked(w, "setup", now, false)
		now = now.Add(away)
		if away == 0 {
			now = now.Add(10 * time.Second)
		}
		w = looked(w, "setup", now, false)
	}
	want := noon.Add(3 * time.Hour) // an hour before noon, and four hours of nobody
	c := &course{w: w, table: runbook.Standalone().Plain(), now: now}
	if at := c.counted(); !at.Equal(want) || !c.from().Equal(want) {
		t.Errorf("the column says %s and the tick %s, want %s", at, c.from(), want)
	}
}

// TestTimeInWhichNobodyLookedDoesNotCount: coordinators that were all down, and a
// clock that was set forward, are no failure of a host.
func TestTimeInWhichNobodyLookedDoesNotCount(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	again := runbook.Outcome{Kind: runbook.Again, Message: "it is read"}
	for _, c := range []struct {
		name  string
		since time.Duration
		look  time.Duration // ago
		to    bool          // it goes on
	}{
		{"looked at all the time", 45 * time.Minute, time.Second, false},
		{"in time", 20 * time.Minute, time.Second, true},
		{"nobody looked for an hour", 80 * time.Minute, time.Hour, true},
		{"beyond the limit before", 100 * time.Minute, time.Hour, false},
	} {
		w := setStep(atStep("preflight", c.since, false), "preflight", func(s *store.StepWork) {
			s.Memory[lookedAt] = strconv.FormatInt(noon.Add(-c.look).Unix(), 10)
		})
		save := after(w, plain, again, noon)
		if on := save.StepTo == rollout.Running; on != c.to {
			t.Errorf("%s: the step is %s: %s", c.name, save.StepTo, save.StepMessage)
		}
		// The next tick knows of it, too.
		next := looked(w, "preflight", noon, false)
		if on := after(next, plain, again, noon.Add(time.Second)).StepTo == rollout.Running; on != c.to {
			t.Errorf("%s: the tick after says otherwise", c.name)
		}
	}
	// Begun, and then nobody was there.
	w := setStep(atStep("preflight", 3*time.Hour, false), "preflight", func(s *store.StepWork) { s.Memory = nil })
	if save := after(w, plain, again, noon); save.StepTo != rollout.Running {
		t.Errorf("never looked at: the step is %s", save.StepTo)
	}
}

// TestAwayIsAllTheTimeNobodyLooked: what the runbook's patience leaves out goes
// on growing when the limits begin anew, and while a host takes no command.
func TestAwayIsAllTheTimeNobodyLooked(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) string { return strconv.FormatInt(noon.Add(-d).Unix(), 10) }
	for _, c := range []struct {
		name   string
		began  time.Duration // ago
		limits time.Duration // counted anew since, ago; 0 = not
		memory map[string]string
		want   time.Duration
	}{
		{"looked at all the time", time.Hour, 0, map[string]string{lookedAt: ago(time.Second)}, 0},
		{"a pause between ticks", time.Hour, 0, map[string]string{lookedAt: ago(4 * time.Minute)}, 0},
		{"hours", 4 * time.Hour, 0, map[string]string{lookedAt: ago(3 * time.Hour)}, 3 * time.Hour},
		{"hours, and some before", 4 * time.Hour, 0, map[string]string{lookedAt: ago(2 * time.Hour), awayFor: "3600"}, 3 * time.Hour},
		{"the limits began anew since", 4 * time.Hour, time.Minute, map[string]string{lookedAt: ago(3 * time.Hour), awayFor: "60"}, 3*time.Hour + time.Minute},
		{"never looked at", 2 * time.Hour, 0, nil, 2 * time.Hour},
		{"no command was taken for a minute", time.Hour, 0, map[string]string{lookedAt: ago(time.Minute), barredAt: "yes", awayFor: "30"}, 90 * time.Second},
	} {
		w := setStep(atStep("verify", c.began, false), "verify", func(s *store.StepWork) {
			s.Memory = c.memory
			if c.limits > 0 {
				from := noon.Add(-c.limits)
				s.LimitsFrom = &from
			}
		})
		at := &course{w: w, table: runbook.Standalone().Plain(), now: noon}
		if got := at.away(); got != c.want {
			t.Errorf("%s: away for %s, want %s", c.name, got, c.want)
		}
		next := looked(w, "verify", noon, false)
		if got := (&course{w: next, table: at.table, now: noon.Add(time.Second)}).away(); got != c.want {
			t.Errorf("%s: the tick after says %s", c.name, got)
		}
	}
}

// TestAHostThatTakesNoCommandFailsNoStep: however long it lasts, and then the
// limit goes on where it was.
func TestAHostThatTakesNoCommandFailsNoStep(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	barred := runbook.Outcome{Kind: runbook.Again, Barred: true, Message: "no shell left", After: 30 * time.Second}
	again := runbook.Outcome{Kind: runbook.Again, Message: "it is read"}
	for _, step := range []string{"preflight", "setup"} {
		limit := hardOf(plain, step)
		w := atStep(step, limit-time.Minute, false)
		w.Steps = setStep(w, step, func(s *store.StepWork) {
			from := noon.Add(time.Minute - limit)
			s.Memory = watchedNow()
			s.StartedAt = &from
		}).Steps
		now := noon
		for range 60 {
			save := after(w, plain, barred, now)
			if save.StepTo != rollout.Running || save.To != rollout.Running || !save.Heard || len(save.Events) > 0 && save.From == save.To {
				t.Fatalf("%s after %s: the step is %s, the upgrade %s, heard %t: %s %v", step, now.Sub(noon), save.StepTo, save.To, save.Heard, save.Message, save.Events)
			}
			w = looked(w, step, now, true)
			now = now.Add(30 * time.Second)
		}
		if save := after(w, plain, again, now); save.StepTo != rollout.Running {
			t.Errorf("%s: with a shell again, a minute before its limit, the step is %s: %s", step, save.StepTo, save.Message)
		}
		w = looked(w, step, now, false)
		if save := after(w, plain, again, now.Add(2*time.Minute)); save.StepTo == rollout.Running {
			t.Errorf("%s: the limit does not come any more", step)
		}
	}
}

func hardOf(plain rollout.Runbook, name string) time.Duration {
	for _, s := range plain.Steps {
		if s.Name == name {
			return s.Hard
		}
	}
	return 0
}
