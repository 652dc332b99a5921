//go:build !race

package runbook_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// Declared faults of clusters end as done or as a decision, and a person who runs
// it again comes to the end.
func TestFaultsOfClustersEndAsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault twin.Fault
		step  string
		kind  runbook.Kind
		says  string
	}{
		{twin.Fault{Name: "cms-move-refused"}, "move-cms-1", runbook.Failed, "was refused"},
		{twin.Fault{Name: "upgrade-cms-power-loss"}, "upgrade-cms-1", runbook.Interrupted, "started anew"},
		{twin.Fault{Name: "copy-suspended", Lasts: 1000 * time.Hour}, "preflight-1", runbook.Failed, "Suspended"},
	} {
		t.Run(c.fault.Name, func(t *testing.T) {
			t.Parallel()
			c.fault.Host = "NODEB"
			f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) { o.Faults = []twin.Fault{c.fault} })
			step, out := f.walk(t, "")
			if step != c.step || out.Kind != c.kind || !strings.Contains(out.Message, c.says) || out.Remedy == "" {
				t.Fatalf("ended in %s: %+v", step, out)
			}
			if c.fault.Lasts > 0 { // nothing was begun, and nobody mends it here
				if n := f.journal.count(t, "setup-started") + f.journal.count(t, "cms-offline"); n != 0 {
					t.Errorf("%d things were begun", n)
				}
				return
			}
			f.settled(t)
			f.retry()
			if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
				t.Fatalf("the second attempt ended in %s: %+v", step, out)
			}
			all := f.journal.entries(t)
			online := slices.IndexFunc(all, required{host: "CMS1", what: "cms-online"}.is)
			if other := slices.IndexFunc(all, required{host: "NODEA", what: "setup-started"}.is); other < online {
				t.Error("NODEA was begun before the server was online at the target")
			}
			if wrong := f.violations(t); len(wrong) > 0 {
				t.Errorf("violations: %v", wrong)
			}
			f.clean(t)
		})
	}
}

// A plan that was made for one of two clustered mailbox servers begins nothing: the
// other one would be left without /UpgradeCms, with no node to go to.
func TestAClusterIsNotBegunForSomeOfItsServers(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.SCC, 3, 2, "en-US", nil)
	table, ok := runbook.ByName("scc-3-1-service-pack")
	if !ok {
		t.Fatal("no such runbook")
	}
	f.table = table
	step, out := f.walk(t, "")
	if step != runbook.Choose || out.Kind != runbook.Failed || !strings.Contains(out.Message, "CMS1, CMS2") || out.Remedy == "" {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	for _, what := range []string{"setup-started", "cms-offline", "group-moved", "service-stopped"} {
		if n := f.journal.count(t, what); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
}
