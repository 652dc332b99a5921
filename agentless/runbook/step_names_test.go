package runbook_test

import (
	"testing"

	"wavekeeper/agentless/runbook"
)

// TestNoStepHasTheNameOfADecision: both are rows of one upgrade, and are found by
// their names.
func TestNoStepHasTheNameOfADecision(t *testing.T) {
	t.Parallel()
	for _, name := range append(runbook.Names(), "scc-3-2-service-pack", "scc-3-2-rollup", "scc-3-2-service-pack-and-rollup") {
		table, ok := runbook.ByName(name)
		if !ok {
			t.Fatalf("no runbook %s", name)
		}
		seen := map[string]bool{}
		for _, s := range append(table.Plain().Steps, table.Plain().Decisions...) {
			if seen[s.Name] {
				t.Errorf("%s has two steps named %s", name, s.Name)
			}
			seen[s.Name] = true
		}
	}
}
