package jobs

import (
	"strconv"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// watchedSince is the memory of a step that was looked at all the time.
func watchedSince(began time.Time) map[string]string {
	return map[string]string{countedBy: strconv.FormatInt(began.Unix(), 10), lookedAt: strconv.FormatInt(noon.Unix()-2, 10)}
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
		memory := map[string]string{}
		(&course{w: w, table: plain, now: noon}).looked(memory, false)
		next := setStep(w, "preflight", func(s *store.StepWork) { s.Memory = memory })
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
		memory := map[string]string{}
		at.looked(memory, false)
		next := setStep(w, "verify", func(s *store.StepWork) { s.Memory = memory })
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
			s.Memory = watchedSince(from)
			s.StartedAt = &from
		}).Steps
		now := noon
		for range 60 {
			save := after(w, plain, barred, now)
			if save.StepTo != rollout.Running || save.To != rollout.Running || !save.Heard || len(save.Events) > 0 && save.From == save.To {
				t.Fatalf("%s after %s: the step is %s, the upgrade %s, heard %t: %s %v", step, now.Sub(noon), save.StepTo, save.To, save.Heard, save.Message, save.Events)
			}
			memory := map[string]string{}
			(&course{w: w, table: plain, now: now}).looked(memory, true)
			w = setStep(w, step, func(s *store.StepWork) { s.Memory = memory })
			now = now.Add(30 * time.Second)
		}
		if save := after(w, plain, again, now); save.StepTo != rollout.Running {
			t.Errorf("%s: with a shell again, a minute before its limit, the step is %s: %s", step, save.StepTo, save.Message)
		}
		memory := map[string]string{}
		(&course{w: w, table: plain, now: now}).looked(memory, false)
		w = setStep(w, step, func(s *store.StepWork) { s.Memory = memory })
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
