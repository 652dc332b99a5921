package jobs

import (
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestRepairedServerIsVerifiedAndGetsNoSecondPackage: a person's word begins no
// Setup and no rollup, which would have neither window nor floor.
func TestRepairedServerIsVerifiedAndGetsNoSecondPackage(t *testing.T) {
	t.Parallel()
	table := runbook.StandaloneServicePackAndRollup()
	w := store.UpgradeWork{ID: 1, Rollout: 1, State: rollout.Running, Step: rollout.VerifyStep, Repaired: true}
	for i, s := range table.Steps {
		st := store.StepWork{Position: i + 1, Name: s.Name, Attempt: 2, State: rollout.Waiting}
		switch s.Name {
		case rollout.VerifyStep:
			st.State, st.StartedAt = rollout.Running, &noon
		case runbook.RollupName:
			st.State = rollout.Skipped
		}
		w.Steps = append(w.Steps, st)
	}
	for _, c := range []struct {
		repaired bool
		next     string
	}{{true, runbook.RollupName + "-restart"}, {false, runbook.RollupName}} {
		w.Repaired = c.repaired
		if got := after(w, table.Plain(), runbook.Outcome{Kind: runbook.Done}, noon); got.Next != c.next {
			t.Errorf("repaired %v: after the verification comes %s, want %s", c.repaired, got.Next, c.next)
		}
	}
}
