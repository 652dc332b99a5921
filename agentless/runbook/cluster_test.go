package runbook_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// TestClustersAreUpgradedToTheEnd, one of them by coordinators that die before each
// command while people wait: Setup, /UpgradeCms and the move are begun once all the same.
func TestClustersAreUpgradedToTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           exchange.ClusterType
		nodes, servers int
		language       string
		killed         []string
	}{
		{exchange.CCR, 2, 1, "de-DE", []string{"stop-cms-1", "move-cms-1", "upgrade-cms-1", "online-1"}}, // in English it is TestTheJournalOfACCRIsTheProcedure
		{exchange.SCC, 3, 2, "en-US", nil},
		{exchange.SCC, 2, 1, "de-DE", nil},
	} {
		t.Run(fmt.Sprintf("%s %d-%d %s", c.kind, c.nodes, c.servers, c.language), func(t *testing.T) {
			t.Parallel()
			f := newCluster(t, c.kind, c.nodes, c.servers, c.language, func(o *twin.Options) { o.LocalizedSetup = false })
			f.dies(c.killed)
			step, out := f.walk(t, "")
			last := fmt.Sprintf("tidy-%d", c.nodes)
			if step != last || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s %s\n%s", step, out.Kind, out.Message, out.Remedy)
			}
			if wrong := f.violations(t); len(wrong) > 0 {
				t.Errorf("violations: %v", wrong)
			}
			for what, want := range map[string]int{"setup-started": c.nodes + c.servers, "cms-moved": c.servers, "cms-upgraded": c.servers} {
				if got := f.journal.count(t, what); got != want {
					t.Errorf("%s %d times after %d kills, want %d", what, got, f.kill.kills, want)
				}
			}
			if len(c.killed) > 0 && f.kill.kills < 20 {
				t.Errorf("%d kills in %q", f.kill.kills, c.killed)
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
			for i := range c.nodes {
				if got := factBuild(t, f.out[fmt.Sprintf("%s-%d", rollout.VerifyStep, i+1)].Facts); got != sp1.String() {
					t.Errorf("what is kept of node %d says %q", i+1, got)
				}
			}
			f.clean(t)
		})
	}
}

// factBuild is the build that pages and plans read from what a step kept.
func factBuild(t *testing.T, facts []runbook.Fact) string {
	t.Helper()
	values := map[string]json.RawMessage{}
	for _, fact := range facts {
		text, err := json.Marshal(fact.Value)
		if err != nil {
			t.Fatal(err)
		}
		values[fact.Name] = text
	}
	keys, err := exchange.ReadRoleKeys(values["roles"])
	if err != nil {
		return err.Error()
	}
	var exsetup string
	if err := json.Unmarshal(values["exsetup_version"], &exsetup); err != nil {
		return err.Error()
	}
	return exchange.InstalledBuild(exchange.ConfiguredOf(keys, nil).Lowest, exsetup).String()
}

// rollupOfCluster is a cluster at SP1 whose package is rollup 8.
func rollupOfCluster(o *twin.Options) {
	for i := range o.Servers {
		o.Servers[i].Build = sp1
	}
	o.Rollups = map[string][]byte{rollupFolder: twin.RollupBytes("sp1-ru8", "x64")}
}

// Sources: technet bb885043 (only passive nodes, every group off them, since the
// Cluster service is stopped), technet bb885047 (stop, move and start between the
// nodes; both nodes at one level; no /UpgradeCms).
func TestClustersGetARollupToTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           exchange.ClusterType
		nodes, servers int
		language       string
		killed         []string
	}{{exchange.CCR, 2, 1, "de-DE", []string{"rollup-1", "move-cms-1"}}, {exchange.SCC, 2, 1, "en-US", nil}} {
		t.Run(fmt.Sprintf("%s %d-%d %s", c.kind, c.nodes, c.servers, c.language), func(t *testing.T) {
			t.Parallel()
			f := newCluster(t, c.kind, c.nodes, c.servers, c.language, rollupOfCluster)
			f.dies(c.killed) // coordinators die before each command: Windows Installer is begun once all the same
			step, out := f.walk(t, "")
			if step != fmt.Sprintf("tidy-%d", c.nodes) || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s %s\n%s", step, out.Kind, out.Message, out.Remedy)
			}
			if wrong := f.violations(t); len(wrong) > 0 {
				t.Errorf("violations: %v", wrong)
			}
			if got := f.journal.count(t, "rollup-started"); got != c.nodes {
				t.Errorf("%d rollups were run after %d kills, want one on each of %d nodes", got, f.kill.kills, c.nodes)
			}
			if got := f.journal.count(t, "cms-moved"); got != c.servers || len(c.killed) > 0 && f.kill.kills < 10 {
				t.Errorf("%d moves after %d kills", got, f.kill.kills)
			}
			if got := f.journal.count(t, "setup-started"); got != 0 {
				t.Errorf("Setup was started %d times: a rollup wants no /UpgradeCms", got)
			}
			for name, s := range f.fleet.Clusters() {
				if s.State != "Online" || s.Build != sp1.String() {
					t.Errorf("%s is %+v", name, s)
				}
			}
			for i := range c.nodes {
				if got := factBuild(t, f.out[fmt.Sprintf("%s-%d", rollout.VerifyStep, i+1)].Facts); got != f.pkg.Target.String() {
					t.Errorf("what is kept of node %d says %q", i+1, got)
				}
			}
			f.clean(t)
		})
	}
}
