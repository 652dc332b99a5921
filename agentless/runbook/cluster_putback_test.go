package runbook_test

import (
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
)

// TestAStoppedServerServesAgainWhenItsUpgradeIsGivenUp: people do not wait for a
// clustered mailbox server that nobody upgrades any more. One that lies on an
// upgraded node without /UpgradeCms cannot be started: then the entry stays open.
func TestAStoppedServerServesAgainWhenItsUpgradeIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step   string
		online bool
	}{{"move-cms-1", true}, {"upgrade-cms-1", false}} {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			f := newCluster(t, exchange.CCR, 2, 1, "en-US", nil)
			f.before = func(step string, _ int) { f.giveUp = step == c.step }
			f.walk(t, "")
			node := f.memory[runbook.Choose]["node-1"]
			open := f.books[node].open()
			s := f.fleet.Clusters()["CMS1"]
			switch {
			case c.online && (s.State != "Online" || len(open) > 0):
				t.Errorf("%+v, open: %+v: want it online and nothing open", s, open)
			case !c.online && (len(open) != 1 || open[0].Kind != runbook.ClusterEntry || f.out[runbook.PutBack+"-1"].Kind != runbook.Failed):
				t.Errorf("%+v, open: %+v, %s: want the entry open and a decision", s, open, f.out[runbook.PutBack+"-1"].Kind)
			}
			f.giveUp, f.before = false, nil
			f.retry()
			if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
				t.Fatalf("the second attempt ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if s := f.fleet.Clusters()["CMS1"]; s.State != "Online" || s.Build != sp1.String() {
				t.Errorf("%+v", s)
			}
			f.clean(t)
		})
	}
}
