package runbook_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// bothOfCluster is a cluster before SP1 whose plan has SP1 and its rollup 8.
func bothOfCluster(o *twin.Options) {
	o.Rollups = map[string][]byte{rollupFolder: twin.RollupBytes("sp1-ru8", "x64")}
}

// secondCCR is what Microsoft's procedure for a rollup wants once the service pack is
// done and CMS1 is on NODEB, so that NODEA is the passive node.
var secondCCR = []required{
	{"NODEA", "service-stopped", "ScanMail_Master", "technet bb885043: stop what interferes"},
	{"NODEA", "rollup-started", "", "technet bb885043: on the passive node"},
	{"NODEA", "service-started", "ScanMail_Master", "technet bb885043: start it again"},
	{"CMS1", "stop-cms", "on:NODEA", "technet bb885043: Stop-ClusteredMailboxServer"},
	{"CMS1", "cms-offline", "", "technet bb885043"},
	{"CMS1", "cms-moved", "from:NODEB to:NODEA", "technet bb885043: Move-ClusteredMailboxServer to the node that is done"},
	{"CMS1", "cms-online", "node:NODEA", "technet bb885043: Start-ClusteredMailboxServer"},
	{"NODEB", "rollup-started", "", "technet bb885047: both nodes come to one level"},
	{"NODEA", "tested", "CMS1", "the Exchange team on troubleshooting 2007: where the server is"},
}

// bothAre proves that a cluster went through both procedures, one after the other.
func bothAre(t *testing.T, f *clusterFixture) {
	t.Helper()
	nodes, servers := len(f.nodes), len(f.servers)
	all := f.journal.entries(t)
	is := func(what string) func(entry) bool { return func(e entry) bool { return e.What == what } }
	rollup := slices.IndexFunc(all, is("rollup-started"))
	if rollup < 0 {
		t.Fatal("no rollup was begun")
	}
	for _, e := range all[rollup:] {
		if e.What == "setup-started" || e.What == "cms-upgraded" {
			t.Errorf("%s: %s after the rollup was begun: %v", e.Host, e.What, e.Detail)
		}
	}
	upgraded := 0
	for _, e := range all {
		if e.What == "setup-started" && strings.Contains(fmt.Sprint(e.Detail), "/UpgradeCms") {
			upgraded++
		}
	}
	if upgraded != servers {
		t.Errorf("/UpgradeCms was begun %d times, want once for each of %d servers", upgraded, servers)
	}
	for what, want := range map[string]int{"setup-started": nodes + servers, "cms-upgraded": servers, "store-did-not-start": 0} {
		if got := f.journal.count(t, what); got != want {
			t.Errorf("%s %d times, want %d", what, got, want)
		}
	}
	for name, s := range f.fleet.Clusters() {
		if s.State != "Online" || s.Build != sp1.String() {
			t.Errorf("%s is %+v", name, s)
		}
	}
	for i, n := range f.nodes {
		if got := f.built(t, n); got != sp1.String() {
			t.Errorf("%s is at %s", n, got)
		}
		if got := f.out[fmt.Sprintf("service-pack-verify-%d", i+1)].Build; got != sp1.String() && got != f.then.Target.String() {
			t.Errorf("%s was verified at %s after the service pack", n, got)
		}
		if got := f.out[fmt.Sprintf("verify-%d", i+1)].Build; got != f.then.Target.String() {
			t.Errorf("%s was verified at %s", n, got)
		}
	}
	f.clean(t)
}

// TestACCRGetsItsServicePackAndThenItsRollup: the whole of the one, proven, before
// anything of the other, with hooks at each stop and the others once.
func TestACCRGetsItsServicePackAndThenItsRollup(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", bothOfCluster)
	var order []string
	ids := map[string]bool{}
	f.hooks = &toldHooks{ran: func(point string) { order = append(order, point) }, id: func(id string) { ids[id] = true }}
	before := f.thirdParty(t)
	if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s %s\n%s", step, out.Kind, out.Message, out.Remedy)
	}
	bothAre(t, f)
	all := f.journal.entries(t)
	happened(t, all, append(slices.DeleteFunc(slices.Clone(procedureCCR), func(r required) bool {
		return strings.Contains(r.detail, "MOM") || r.what == "tested" || r.what == "log-level-set" || strings.Contains(r.detail, "Streaming") || strings.Contains(r.detail, "MSExchange Repl")
	}), secondCCR...))
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
	for what, want := range map[string]int{"rollup-started": 2, "cms-offline": 2, "tested": 1} {
		if got := f.journal.count(t, what); got != want {
			t.Errorf("%s %d times, want %d", what, got, want)
		}
	}
	if got := strings.Join(order, " "); got != "announce cms-stop cms-online cms-stop cms-online after" || len(ids) != len(order) {
		t.Errorf("hooks: %s, %d ids", got, len(ids))
	}
	if after := f.thirdParty(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
}

// TestASingleCopyClusterGetsItsServicePackAndThenItsRollup: three nodes, two servers.
func TestASingleCopyClusterGetsItsServicePackAndThenItsRollup(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.SCC, 3, 2, "de-DE", bothOfCluster)
	if step, out := f.walk(t, ""); step != "tidy-3" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s %s\n%s", step, out.Kind, out.Message, out.Remedy)
	}
	bothAre(t, f)
	if got := f.journal.count(t, "rollup-started"); got != 3 {
		t.Errorf("%d rollups were run, want one on each node", got)
	}
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
}

// TestAClusterComesBackToItsRollup: power is lost in the middle of the rollup's half.
// What was changed for a while is put back, and a later attempt begins no Setup and
// ends with both.
func TestAClusterComesBackToItsRollup(t *testing.T) {
	t.Parallel()
	var fleet atomic.Pointer[twin.Fleet]
	var hit atomic.Bool
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) {
		bothOfCluster(o)
		o.Observe = func(seen twin.Observation) {
			if seen.What != "rollup-started" || !hit.CompareAndSwap(false, true) {
				return
			}
			if err := fleet.Load().PowerLoss(seen.Host); err != nil {
				t.Error(err)
			}
		}
	})
	fleet.Store(f.fleet)
	before := f.thirdParty(t)
	if step, out := f.walk(t, ""); !hit.Load() || step != "rollup-1" || out.Kind != runbook.Interrupted {
		t.Fatalf("ended in %s: %s %s", step, out.Kind, out.Message)
	}
	for attempt := 2; ; attempt++ {
		f.settled(t)
		f.retry()
		step, out := f.walk(t, "")
		if step == "tidy-2" && out.Kind == runbook.Done {
			break
		}
		if attempt == 4 {
			t.Fatalf("attempt %d ended in %s: %s %s", attempt, step, out.Kind, out.Message)
		}
	}
	bothAre(t, f)
	if after := f.thirdParty(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
}
