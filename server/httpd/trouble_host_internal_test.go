package httpd

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// nodeInTrouble is a cluster whose second node's Setup broke, after something was
// read from and cleared on its first.
func nodeInTrouble() trouble {
	u := store.UpgradeView{UpgradeRow: store.UpgradeRow{Server: "CMS01", State: rollout.Interrupted, Step: "setup-2", Phase: "Mailbox role", Steps: []store.StepWork{
		{Name: "setup-1", Node: "NODEA", State: rollout.Done}, {Name: "setup-2", Node: "NODEB", State: rollout.Interrupted, StartedAt: new(time.Time)},
	}}}
	u.Ledger = []store.LedgerEntry{{Host: "NODEA", Kind: "service", Name: "BackupAgent"}}
	return trouble{
		UpgradeView: u, state: rollout.Interrupted,
		evidence: []store.EvidenceRow{{ID: 1, Host: "NODEB", Kind: "registry"}, {ID: 2, Host: "NODEA", Kind: "registry"}},
		cleared:  []store.MarkerRow{{Host: "NODEA", Open: true}},
	}
}

func TestTroubleOnAClusterNamesTheNode(t *testing.T) {
	t.Parallel()
	s, about := &server{Options: Options{Runbooks: books{}, Now: time.Now}}, nodeInTrouble()
	clock := ui.Clock{Now: time.Date(2008, 5, 2, 12, 0, 0, 0, time.UTC), Zone: time.UTC}
	if known := s.troubleKnown(about, clock); known[0].Name != "Host" || known[0].Value != "NODEB" {
		t.Errorf("what is known begins with %+v", known[0])
	}
	if lead := s.troubleLead(about); !strings.HasPrefix(lead, "NODEB says that the step") {
		t.Errorf("the panel begins with %q", lead)
	}
	if safe := strings.Join(s.troubleSafe(about, store.RolloutView{}, clock), " "); !strings.Contains(safe, "BackupAgent on NODEA") {
		t.Errorf("what is still changed is said as %q", safe)
	}
	var view page.Confirm
	if decideAsk(about, &view, "clear", "has the values below deleted"); view.Rows[0].Server != "NODEB of CMS01" {
		t.Errorf("break-glass is asked for %q", view.Rows[0].Server)
	}
	if !mayRun(about.UpgradeView) {
		t.Error("a node's Setup is not known to be one")
	}
}

func TestANodeIsNotJudgedByWhatAnotherShowed(t *testing.T) {
	t.Parallel()
	read, cleared := nodeInTrouble().ofHost()
	if row, ok := newest(read, "registry"); !ok || row.ID != 1 {
		t.Errorf("the registry of %+v is taken for NODEB's", row)
	}
	if len(cleared) != 0 || len(nodeInTrouble().toPutBack()) != 0 {
		t.Error("what was cleared on NODEA could be put back on NODEB")
	}
	alone := trouble{UpgradeView: store.UpgradeView{UpgradeRow: store.UpgradeRow{Server: "MBX01", Step: "setup", Steps: []store.StepWork{{Name: "setup", Node: "MBX01"}}}}}
	if alone.node() != "" || alone.where() != "MBX01" {
		t.Errorf("a server that is its own host has the node %q", alone.node())
	}
}
