package jobs

import (
	"slices"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/store"
)

// TestEveryMoveIsTold: whatever comes out of a tick, an upgrade does not change
// its state without an event that says so, also where a limit has passed.
func TestEveryMoveIsTold(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	for _, step := range plain.Steps {
		for _, kind := range []runbook.Kind{runbook.Done, runbook.Failed, runbook.Again, runbook.Interrupted, runbook.Unknown, runbook.OutOfSight} {
			for _, since := range []time.Duration{time.Second, 100 * time.Hour} {
				for _, unwinding := range []bool{false, true} {
					got := after(atStep(step.Name, since, unwinding), plain, runbook.Outcome{Kind: kind, Message: "m", Remedy: "r"}, noon)
					told := slices.ContainsFunc(got.Events, func(e store.Event) bool {
						return e.Kind == store.EventUpgrade && e.Data["state"] == string(got.To)
					})
					if moved := got.From != got.To; told != moved {
						t.Errorf("%s after %s, unwinding %t, %q: from %s to %s, told %t", step.Name, since, unwinding, kind, got.From, got.To, told)
					}
				}
			}
		}
	}
}
