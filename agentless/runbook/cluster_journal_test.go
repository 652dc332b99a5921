package runbook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// required is one thing that the procedure wants, as the simulated hosts' own
// journal has it.
type required struct {
	host, what, detail string // detail is looked for in the entry's details
	source             string // which page or document wants it
}

// procedureCCR is what has to happen to a CCR cluster whose server is on NODEA,
// in this order. It was written down from the sources, not from the runbook.
var procedureCCR = []required{
	{"NODEA", "registry-changed", "Enable Remote Streaming Backup", "founding document: the value for reseeding, on the CCR nodes"},
	{"NODEA", "group-moved", "Cluster Group", "founding document: move cluster resources away; technet bb885043: the default group, too"},
	{"NODEB", "service-stopped", "MOM", "founding document: Stop Services (MOM etc.), before Setup"},
	{"NODEB", "service-stopped", "ScanMail_Master", "founding document: services of others, before Setup"},
	{"NODEB", "service-started", "SharedAccess", "founding document: Firewall starten, on the node, before Setup"},
	{"NODEB", "setup-started", "/mode:Upgrade", "founding document: the passive node first, from the command line"},
	{"NODEB", "setup-ended", "exit:0", "founding document"},
	{"NODEB", "restart", "", "founding document: restart; enowconsulting 2009: mandatory"},
	{"NODEB", "service-started", "ScanMail_Master", "founding document: services are started again"},
	{"NODEB", "service-started", "MOM", "founding document: monitoring is on again, before the critical path"},
	{"NODEB", "registry-changed", "new:1", "founding document: the value for reseeding, which the service pack switches off"},
	{"NODEB", "exchange-changed", `level MSExchange Repl\Service to:High`, "technet, changes of Setup in SP2: levels of event logging are reset"},
	{"CMS1", "stop-cms", "on:NODEB", "enowconsulting 2009: Stop-ClusteredMailboxServer; by cmdlets of the new build"},
	{"CMS1", "cms-offline", "", "enowconsulting 2009: the status must show Offline"},
	{"CMS1", "move-cms", "to:NODEB", "founding document: move to NodeB; exchhelp d13d8ae3: Move-ClusteredMailboxServer"},
	{"CMS1", "cms-moved", "from:NODEA to:NODEB", "exchhelp 5ac92b11"},
	{"NODEB", "setup-started", "/UpgradeCms", "founding document: setup /upgradecms on the node that has it now"},
	{"CMS1", "cms-upgraded", "build:8.1.240.6", "siliconexus 2010: what happens when it is forgotten"},
	{"CMS1", "cms-online", "node:NODEB", "founding document: the cluster runs with SP1 on NodeB"},
	{"NODEA", "service-stopped", "MOM", "founding document: the same on the other node"},
	{"NODEA", "service-started", "SharedAccess", "founding document"},
	{"NODEA", "setup-started", "/mode:Upgrade", "founding document: then the other node"},
	{"NODEA", "setup-ended", "exit:0", "founding document"},
	{"NODEA", "restart", "", "founding document"},
	{"NODEA", "service-started", "MOM", "founding document"},
	{"NODEB", "tested", "CMS1", "the Exchange team on troubleshooting 2007: Test-ServiceHealth and Test-MAPIConnectivity, where the server is"},
}

// forbidden is what must not happen before something else did.
var forbidden = []struct {
	early, late required
	source      string
}{
	{required{host: "NODEA", what: "setup-started"}, required{host: "CMS1", what: "cms-online"}, "siliconexus 2010: the other node before /UpgradeCms leaves a cluster that does not start"},
	{required{host: "NODEB", what: "setup-started"}, required{host: "NODEB", what: "registry-changed", detail: "Enable Remote Streaming Backup"}, "founding document: the value is set in preparing the node"},
	{required{host: "CMS1", what: "stop-cms"}, required{host: "NODEB", what: "restart"}, "founding document: restart, then the critical path"},
}

func lastIndex(all []entry, r required) int {
	for i, e := range slices.Backward(all) {
		if r.is(e) {
			return i
		}
	}
	return -1
}

func (r required) is(e entry) bool {
	return e.Host == r.host && e.What == r.what && strings.Contains(fmt.Sprint(e.Detail), r.detail)
}

// happened fails where something of the procedure did not happen, or not after what
// goes before. Services of one host that are started after one another take their
// time each: which runs first is not ours.
func happened(t *testing.T, all []entry, procedure []required) {
	t.Helper()
	above, at := 0, 0
	for n, want := range procedure {
		from := at
		if n > 0 && want.what == "service-started" && procedure[n-1].what == want.what && procedure[n-1].host == want.host {
			from = above
		}
		i := slices.IndexFunc(all[from:], want.is)
		if i < 0 {
			t.Errorf("%s: %s %q did not happen, or not after what goes before (%s)", want.host, want.what, want.detail, want.source)
			continue
		}
		above, at = at, max(at, from+i)
	}
}

func TestTheJournalOfACCRIsTheProcedure(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) {
		node := []string{"streaming-backup=0", "service-foreign=MOM|Example", `log-level=MSExchange Repl\Service:High`}
		o.Traits = map[string][]string{"NODEA": node, "NODEB": node}
	})
	f.fleet.Backup("CMS1")
	monitored := f.services(t, "MOM", "SharedAccess", "ScanMail_Master")
	if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	all := f.journal.entries(t)
	happened(t, all, procedureCCR)
	if after := f.services(t, "MOM", "SharedAccess", "ScanMail_Master"); after != monitored {
		t.Errorf("services after: %s, before: %s", after, monitored)
	}
	for _, n := range f.nodes {
		if i := slices.IndexFunc(all, required{host: n, what: "setup-started", detail: "/mode"}.is); i >= 0 && !slices.ContainsFunc(all[:i], required{host: n, what: "task-ran", detail: "canary"}.is) {
			t.Errorf("%s: nobody looked what the run-as account can do before Setup", n)
		}
	}
	if started, looked := slices.IndexFunc(all, required{host: "CMS1", what: "cms-online"}.is), lastIndex(all, required{host: "NODEA", what: "task-ran", detail: "canary"}); looked < started {
		t.Error("NODEA was not looked at again when its turn came, hours after the first look")
	}
	for _, no := range forbidden {
		early, late := slices.IndexFunc(all, no.early.is), slices.IndexFunc(all, no.late.is)
		if early >= 0 && late >= 0 && early < late || late < 0 {
			t.Errorf("%s %s came before %s %s (%s)", no.early.host, no.early.what, no.late.host, no.late.what, no.source)
		}
	}
	for _, e := range all {
		switch e.What {
		case "violation":
			t.Errorf("%s: %v", e.Host, e.Detail)
		case "store-did-not-start":
			t.Errorf("the store did not start: %v", e.Detail)
		}
	}
	if got := f.journal.count(t, "setup-started"); got != 3 {
		t.Errorf("Setup started %d times, want once on each node and once for the server", got)
	}
	if got := f.journal.count(t, "cms-offline"); got != 1 {
		t.Errorf("the server went offline %d times", got)
	}
	if got := f.journal.count(t, "backup-cancelled"); got != 1 {
		t.Errorf("%d backups were cancelled by the move, want 1: the twin does not say what a move does", got)
	}
}

func TestAServerThatStaysOfflineAfterUpgradeCmsIsStarted(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) { o.Traits = map[string][]string{"NODEB": {"cms-stays-offline"}} })
	if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "start-cms"); got != 1 {
		t.Errorf("the server was started %d times, want once", got)
	}
}

func TestARefusedMoveLeavesTheServerToAPerson(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", func(o *twin.Options) { o.Traits = map[string][]string{"NODEB": {"cms-move-refused"}} })
	step, out := f.walk(t, "")
	if step != "move-cms-1" || out.Kind != runbook.Failed || !strings.Contains(out.Message, "was refused") {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "move-cms"); got != 1 {
		t.Errorf("the move was tried %d times, want once", got)
	}
	for _, b := range f.books {
		if open := b.open(); len(open) > 0 {
			t.Errorf("ledger entries left open: %+v", open)
		}
	}
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
}

// The half-upgraded cluster: NODEB is new, owns the server, and /UpgradeCms
// failed. A second attempt comes back to it and does not begin NODEA before.
func TestAHalfUpgradedClusterComesBackToUpgradeCms(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "de-DE", nil)
	f.fail(t, "upgrade-cms-1", "NODEB", 8)
	step, out := f.walk(t, "")
	if step != "upgrade-cms-1" || out.Kind != runbook.Failed {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if s := f.fleet.Clusters()["CMS1"]; s.Owner != "NODEB" || s.State != "Offline" || s.Build != "8.0.685.25" {
		t.Fatalf("the server is %+v", s)
	}
	if open := f.books["NODEB"].open(); len(open) != 1 || open[0].Kind != runbook.ClusterEntry {
		t.Fatalf("%+v is open: want the server that was stopped", open)
	}
	f.before = nil
	f.retry()
	if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
		t.Fatalf("the second attempt ended in %s: %+v", step, out)
	}
	all := f.journal.entries(t)
	online := slices.IndexFunc(all, required{host: "CMS1", what: "cms-online"}.is)
	if other := slices.IndexFunc(all, required{host: "NODEA", what: "setup-started"}.is); other < online {
		t.Errorf("NODEA was begun before the server was online at the target")
	}
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
	f.clean(t)
}

// A node that fails over between choosing and its turn is not touched.
func TestNothingIsBegunOnANodeThatBecameActive(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", nil)
	failed := false
	f.before = func(step string, tick int) {
		if step == "passive-1" && !failed {
			failed = true
			f.powerLoss(t, "NODEA")
			f.await(t, "CMS1", "NODEB", "Online")
		}
	}
	step, out := f.walk(t, "")
	if step != "passive-1" || out.Kind != runbook.Failed {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	if got := f.journal.count(t, "setup-started"); got != 0 {
		t.Errorf("Setup was started %d times", got)
	}
}

// procedureSCC is what has to happen to a single copy cluster of three nodes whose
// servers CMS1 and CMS2 are on NODEA and NODEB while NODEC is passive, in this order.
// No page with all steps of a single copy cluster was at hand: it is the order of CCR,
// repeated for each server (remembered), whose lines have their sources; that a server
// moves to a node that has none is the rule of clustered mailbox servers.
var procedureSCC = []required{
	{"NODEC", "service-stopped", "ScanMail_Master", "founding document: services of others, before Setup"},
	{"NODEC", "setup-started", "/mode:Upgrade", "founding document, technet bb885043: the passive node first, from the command line"},
	{"NODEC", "setup-ended", "exit:0", "founding document"},
	{"NODEC", "restart", "", "founding document: restart; enowconsulting 2009: mandatory"},
	{"NODEC", "service-started", "ScanMail_Master", "founding document: services are started again"},
	{"CMS1", "stop-cms", "on:NODEC", "enowconsulting 2009: Stop-ClusteredMailboxServer, by cmdlets of the new build"},
	{"CMS1", "cms-offline", "", "enowconsulting 2009: the status must show Offline"},
	{"CMS1", "cms-moved", "from:NODEA to:NODEC", "founding document: to the node that is done"},
	{"NODEC", "setup-started", "/UpgradeCms", "founding document: on the node that has it now"},
	{"CMS1", "cms-upgraded", "build:8.1.240.6", "siliconexus 2010: for every server, or its store does not start"},
	{"CMS1", "cms-online", "node:NODEC", "founding document"},
	{"NODEA", "setup-started", "/mode:Upgrade", "founding document: then the node that it left; technet bb885043: one node at a time"},
	{"NODEA", "setup-ended", "exit:0", "founding document"},
	{"NODEA", "restart", "", "founding document"},
	{"CMS2", "stop-cms", "on:NODEA", "enowconsulting 2009; the next server goes to a node that is done and free"},
	{"CMS2", "cms-offline", "", "enowconsulting 2009"},
	{"CMS2", "cms-moved", "from:NODEB to:NODEA", "founding document; two servers are never on one node (Exchange 2007 help, single copy clusters)"},
	{"NODEA", "setup-started", "/UpgradeCms", "founding document"},
	{"CMS2", "cms-upgraded", "build:8.1.240.6", "siliconexus 2010"},
	{"CMS2", "cms-online", "node:NODEA", "founding document"},
	{"NODEB", "setup-started", "/mode:Upgrade", "founding document: the last node, which is passive now"},
	{"NODEB", "setup-ended", "exit:0", "founding document"},
	{"NODEB", "restart", "", "founding document"},
}

// TestTheJournalOfASingleCopyClusterIsTheProcedure: three nodes, two servers.
func TestTheJournalOfASingleCopyClusterIsTheProcedure(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.SCC, 3, 2, "en-US", nil)
	before := f.thirdParty(t)
	if step, out := f.walk(t, ""); out.Kind != runbook.Done || step != "tidy-3" {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	all := f.journal.entries(t)
	happened(t, all, procedureSCC)
	for what, want := range map[string]int{"setup-started": 5, "stop-cms": 2, "cms-moved": 2, "cms-upgraded": 2, "violation": 0, "store-did-not-start": 0} {
		if got := f.journal.count(t, what); got != want {
			t.Errorf("%s %d times, want %d", what, got, want)
		}
	}
	if after := f.thirdParty(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
	f.clean(t)
}
