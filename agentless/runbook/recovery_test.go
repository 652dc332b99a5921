package runbook_test

import (
	"slices"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
)

// TestTroubleInTheMiddleOfAClusterHasItsRecovery: recoveries name steps, and a step
// of a cluster that installs, or whose time people ask about, is one of those.
func TestTroubleInTheMiddleOfAClusterHasItsRecovery(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ccr-service-pack", "ccr-rollup", "scc-3-2-service-pack", "scc-3-2-rollup", "ccr-service-pack-and-rollup", "scc-3-2-service-pack-and-rollup"} {
		table, ok := runbook.ByName(name)
		if !ok {
			t.Fatalf("no runbook %s", name)
		}
		for _, s := range table.Steps {
			if !s.NoReturn && s.Clock == "" {
				continue
			}
			all := exchange.Distress{Step: s.Name, Cluster: true}.Recover()
			if !slices.ContainsFunc(all, func(r exchange.Recovery) bool { return r.Name == "half-upgraded-cluster" }) {
				t.Errorf("%s: nothing is said of a half-upgraded cluster at %s", name, s.Name)
			}
		}
	}
}
