package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// TestForefrontOnANodeWaitsForADecision: its own order on a cluster differs between
// versions, so a person does it by hand and says so, and nothing runs before.
func TestForefrontOnANodeWaitsForADecision(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) {
		o.Traits = map[string][]string{"NODEA": {"forefront"}, "NODEB": {"forefront"}}
	})
	var tick func(runbook.Work) runbook.Outcome
	for _, s := range f.table.Steps {
		if s.Name == "forefront-1" {
			tick = func(w runbook.Work) runbook.Outcome {
				w.Memory, w.Host, w.Node, w.Turn, w.Now = map[string]string{}, f.hosts["NODEB"], "NODEB", "-1", f.now()
				w.Server, w.Servers, w.Nodes, w.Package, w.Attempt, w.Book = f.servers[0], f.servers, f.nodes, f.pkg, 1, f.books["NODEB"]
				out, err := s.Tick(t.Context(), &w)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
		}
	}
	if tick == nil {
		t.Fatal("there is no step forefront-1")
	}
	out := tick(runbook.Work{})
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "nobody decided") || !strings.Contains(out.Remedy, "accept the finding forefront") {
		t.Fatalf("%s: %s (%s)", out.Kind, out.Message, out.Remedy)
	}
	if out := tick(runbook.Work{Waived: []string{"forefront"}}); out.Kind != runbook.Done || !strings.Contains(out.Message, "as a person decided") {
		t.Errorf("accepted: %s: %s", out.Kind, out.Message)
	}
	if slices.ContainsFunc(f.journal.entries(t), func(e entry) bool {
		return strings.HasPrefix(e.What, "service-") || e.What == "exchange-changed" || e.What == "setup-started"
	}) {
		t.Error("something was done to the node")
	}
}
