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
		(&course{w: w, table: plain, now: noon}).looked(memory)
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
