//go:build !race

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

// blowsOf are all blows at the steps of a table that begin something.
func blowsOf(table runbook.Table) []blow {
	var all []blow
	for _, s := range table.Steps {
		if s.Hook != "" || s.PutBack {
			continue
		}
		for _, node := range []string{"NODEA", "NODEB", ""} {
			for _, tick := range []int{0, 3, 8} {
				all = append(all, blow{s.Name, tick, node})
			}
		}
	}
	return all
}

// Whatever hits a cluster, and whenever: afterwards nothing is left changed for a
// while, or a decision is open; Setup was never begun on an active node; and a
// person who runs it again, as often as it takes, comes to a cluster that serves
// at the target.
func TestBlowsAtClusters(t *testing.T) {
	t.Parallel()
	type strike struct {
		struckCluster
		blow
	}
	var all []strike
	for _, c := range []struckCluster{
		{"ccr-service-pack", exchange.CCR, 2, 1, nil},
		{"ccr-rollup", exchange.CCR, 2, 1, rollupOfCluster},
		{"scc-3-2-service-pack", exchange.SCC, 3, 2, nil},
		{"ccr-service-pack-and-rollup", exchange.CCR, 2, 1, bothOfCluster},
	} {
		table, ok := runbook.ByName(c.runbook)
		if !ok {
			t.Fatalf("no runbook %s", c.runbook)
		}
		for _, b := range blowsOf(table) {
			if s, _ := table.Step(b.step); s.Second || !strings.HasSuffix(c.runbook, "-and-rollup") { // of two packages the first is struck above
				all = append(all, strike{c, b})
			}
		}
	}
	for _, b := range sampleOfBlows(t, all, 2) {
		t.Run(b.runbook+" "+b.String(), func(t *testing.T) { b.struck(t, b.blow) })
	}
}

// The copies of an upgraded server fail until the other node is upgraded, too: an
// attempt that ended in between is gone on with, and does not wait for them first.
func TestACCRIsGoneOnWithOnceItsServerIsUpgraded(t *testing.T) {
	t.Parallel()
	struckCluster{"ccr-service-pack", exchange.CCR, 2, 1, nil}.struck(t, blow{"groups-2", 0, ""})
}

// struckCluster is a cluster and the runbook by which it goes.
type struckCluster struct {
	runbook        string
	kind           exchange.ClusterType
	nodes, servers int
	change         func(*twin.Options)
}

func (c struckCluster) struck(t *testing.T, b blow) {
	f := newCluster(t, c.kind, c.nodes, c.servers, "en-US", c.change)
	f.limits = true
	before := map[string]snapshot{}
	for _, n := range f.nodes {
		before[n] = shot(t, f.fleet, n)
	}
	hit, last := false, fmt.Sprintf("tidy-%d", c.nodes)
	due := b.at(func() {
		hit = true
		if b.node == "" {
			f.giveUp = true
			return
		}
		f.powerLoss(t, b.node)
	})
	f.before = func(step string, tick int) {
		if !f.unwind {
			due(step, tick)
		}
	}
	for attempt := 1; ; attempt++ {
		step, out := f.walk(t, "")
		open := 0
		for _, book := range f.books {
			open += len(book.open())
		}
		decision := out.Kind == runbook.Failed || out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown
		if open > 0 && !decision {
			t.Errorf("attempt %d ended in %s as %s with %d ledger entries open", attempt, step, out.Kind, open)
		}
		if step == last && out.Kind == runbook.Done {
			break
		}
		if attempt == 5 {
			t.Fatalf("attempt %d ended in %s: %s %s", attempt, step, out.Kind, out.Message)
		}
		f.giveUp = false
		f.settled(t)
		if node, _, found := strings.Cut(out.Message, " is not passive"); found && strings.HasPrefix(out.Remedy, "What was begun in the node's turn") {
			f.freed(t, node)
		}
		more := []string{ofCluster}
		if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown {
			more = append(more, whileDue)
		}
		for _, n := range f.nodes {
			asBefore(t, fmt.Sprintf("attempt %d ended %s in %s", attempt, out.Kind, step), f.fleet, f.journal, n, before[n], f.books[n], more...)
		}
		f.retry()
	}
	if !hit {
		t.Error("the blow never came")
	}
	for name, s := range f.fleet.Clusters() {
		if s.State != "Online" || s.Build != sp1.String() {
			t.Errorf("%s is %+v", name, s)
		}
	}
	for _, n := range f.nodes {
		if got := f.built(t, n); got != sp1.String() {
			t.Errorf("%s is at %s", n, got)
		}
	}
	for _, v := range f.violations(t) {
		t.Errorf("violation: %s", v)
	}
	for _, n := range f.nodes {
		asBefore(t, "in the end", f.fleet, f.journal, n, before[n], f.books[n], ofCluster, wentThrough)
		if open := f.books[n].open(); len(open) > 0 {
			t.Errorf("%s: open: %+v", n, open)
		}
	}
}

// freed is a person who does what the remedy says: whatever server is on the node goes
// to one that has none.
func (f *clusterFixture) freed(t *testing.T, node string) {
	t.Helper()
	owns := map[string]bool{}
	for _, s := range f.fleet.Clusters() {
		owns[s.Owner] = true
	}
	for name, s := range f.fleet.Clusters() {
		if i := slices.IndexFunc(f.nodes, func(n string) bool { return !owns[n] }); s.Owner == node && i >= 0 {
			f.fleet.MoveServer(name, f.nodes[i])
			f.await(t, name, f.nodes[i], "Online")
		}
	}
	f.settled(t)
}
