package runbook_test

import (
	"fmt"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

func TestClustersAreUpgradedToTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           exchange.ClusterType
		nodes, servers int
		language       string
	}{
		{exchange.CCR, 2, 1, "en-US"},
		{exchange.CCR, 2, 1, "de-DE"},
		{exchange.SCC, 3, 2, "en-US"},
		{exchange.SCC, 3, 2, "de-DE"},
	} {
		t.Run(fmt.Sprintf("%s %d-%d %s", c.kind, c.nodes, c.servers, c.language), func(t *testing.T) {
			f := newCluster(t, c.kind, c.nodes, c.servers, c.language, func(o *twin.Options) { o.LocalizedSetup = false })
			step, out := f.walk(t, "")
			last := fmt.Sprintf("tidy-%d", c.nodes)
			if step != last || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s %s\n%s", step, out.Kind, out.Message, out.Remedy)
			}
			if wrong := f.violations(t); len(wrong) > 0 {
				t.Errorf("violations: %v", wrong)
			}
			for name, s := range f.fleet.Clusters() {
				if s.State != "Online" || s.Build != sp1.String() {
					t.Errorf("%s is %s at %s", name, s.State, s.Build)
				}
			}
			for _, n := range f.nodes {
				if got := f.built(t, n); got != sp1.String() {
					t.Errorf("%s is at %s", n, got)
				}
			}
			f.clean(t)
		})
	}
}
