package runbook_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
)

var (
	clustersFull = flag.Bool("clusters.full", false, "lose the power of each node, and give up, at every step of a cluster's runbook")
	clustersSeed = flag.Uint64("clusters.seed", 1, "which steps are tried without -clusters.full")
)

// blow is what hits a cluster in the middle of a step.
type blow struct {
	step string
	tick int    // before which
	node string // whose power goes; "" = the attempt is given up
}

func (b blow) String() string {
	if b.node == "" {
		return fmt.Sprintf("given up in %s, tick %d", b.step, b.tick)
	}
	return fmt.Sprintf("%s without power in %s, tick %d", b.node, b.step, b.tick)
}

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
	table, _ := runbook.ByName("ccr-service-pack")
	all := blowsOf(table)
	if !*clustersFull {
		random := rand.New(rand.NewPCG(*clustersSeed, 7))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:2]
	}
	for _, b := range all {
		t.Run(b.String(), func(t *testing.T) { struck(t, b) })
	}
}

func struck(t *testing.T, b blow) {
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", nil)
	f.limits = true
	before := f.thirdParty(t)
	hit := false
	f.before = func(step string, tick int) {
		if step != b.step || tick != b.tick || hit || f.unwind {
			return
		}
		hit = true
		if b.node == "" {
			f.giveUp = true
			return
		}
		f.powerLoss(t, b.node)
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
		if step == "tidy-2" && out.Kind == runbook.Done {
			break
		}
		if attempt == 5 {
			t.Fatalf("attempt %d ended in %s: %s %s", attempt, step, out.Kind, out.Message)
		}
		if out.Kind == runbook.Failed && step != "tidy-2" {
			if after := f.thirdParty(t); after != before && open == 0 {
				t.Errorf("given back after %s: %s, before: %s", step, after, before)
			}
		}
		f.giveUp = false
		f.settled(t)
		f.retry()
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
		if !strings.Contains(v, "by-scm") || b.node == "" {
			t.Errorf("violation: %s", v)
		}
	}
	if after := f.thirdParty(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
	for _, n := range f.nodes {
		if open := f.books[n].open(); len(open) > 0 {
			t.Errorf("%s: open: %+v", n, open)
		}
	}
}
