package runbook_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/exchange"
)

// TestSetupIsNotBegunOnANodeThatBecameActive: between the proof that a node is
// passive and the start of its task the coordinator may be away for hours, and the
// cluster fails over meanwhile.
func TestSetupIsNotBegunOnANodeThatBecameActive(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", nil)
	done := false
	f.before = func(step string, _ int) {
		if step != "setup-1" || done || f.memory[step]["created"] == "" {
			return
		}
		done = true
		first := f.memory[runbook.Choose]["node-1"]
		for _, n := range f.nodes {
			if n != first {
				f.powerLoss(t, n)
			}
		}
		f.await(t, "CMS1", first, "Online")
		f.began = f.began.Add(-10 * time.Second) // ten minutes are over
	}
	for _, s := range f.table.Steps {
		out := f.step(t, s)
		if s.Name != "setup-1" {
			if out.Kind != runbook.Done {
				t.Fatalf("%s: %s: %s", s.Name, out.Kind, out.Message)
			}
			continue
		}
		if out.Kind != runbook.Failed || !strings.Contains(out.Message, "not passive") {
			t.Errorf("setup-1: %s: %s", out.Kind, out.Message)
		}
		break
	}
	if !done {
		t.Fatal("the cluster did not fail over")
	}
	if n := f.journal.count(t, "setup-started"); n != 0 {
		t.Errorf("Setup was begun %d times", n)
	}
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
}

// TestARollupsRestartSparesTheActiveNode: a later attempt comes to the restart of a
// node that serves people by then.
func TestARollupsRestartSparesTheActiveNode(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", rollupOfCluster)
	if step, out := f.walk(t, ""); step != "tidy-2" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s %s", step, out.Kind, out.Message)
	}
	active := f.memory[runbook.Choose]["node-1"]
	f.await(t, "CMS1", active, "Online")
	booted, err := f.hosts[active].BootTime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	restart, _ := f.table.Step("restart-1")
	f.memory["rollup-1"]["exit"] = "3010" // and the restart did not come about then
	delete(f.memory, "restart-1")
	if out := f.step(t, restart); out.Kind != runbook.Failed || !strings.Contains(out.Message, "not restarted") {
		t.Errorf("%s: %s", out.Kind, out.Message)
	}
	now, err := f.hosts[active].BootTime(t.Context())
	if err != nil || !now.Equal(booted) {
		t.Errorf("the active node was started %s, now %s, %v", booted, now, err)
	}
	f.memory["restart-1"] = map[string]string{"restarted": f.memory["rollup-1"]["ran_in"]}
	f.retry()
	if out := f.step(t, restart); out.Kind != runbook.Done {
		t.Errorf("after it was settled: %s: %s", out.Kind, out.Message)
	}
}

// The other node fails when Setup's task is registered, and its server comes to the
// node: the task is closed before it begins, and binds nothing. The next attempt
// begins with the node that is passive now.
func TestNodesAreChosenAnewWhereNothingBegan(t *testing.T) {
	t.Parallel()
	f := newCluster(t, exchange.CCR, 2, 1, "en-US", nil)
	failed := false
	f.before = func(step string, _ int) {
		if step == "setup-1" && f.memory[step]["created"] != "" && !failed {
			failed = true
			f.powerLoss(t, "NODEA")
			f.await(t, "CMS1", "NODEB", "Online")
		}
	}
	if step, out := f.walk(t, ""); step != "setup-1" || out.Kind != runbook.Failed {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	f.settled(t)
	f.retry()
	for _, s := range f.table.Steps {
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("the second attempt ended in %s: %+v", s.Name, out)
		}
		if s.Name == "passive-1" {
			break
		}
	}
	if got := f.memory["choose"]["node-1"]; got != "NODEA" {
		t.Errorf("%s goes first, want the node that is passive now", got)
	}
	if got := f.journal.count(t, "setup-started"); got != 0 {
		t.Errorf("Setup was started %d times", got)
	}
	if wrong := f.violations(t); len(wrong) > 0 {
		t.Errorf("violations: %v", wrong)
	}
}
