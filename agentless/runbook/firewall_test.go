package runbook_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// firewalled is a host whose firewall's service does not run.
func firewalled(t *testing.T, traits ...string) *fixture {
	t.Helper()
	return newFixture(t, func(o *twin.Options) {
		for _, trait := range traits {
			o.Servers[0].Tags = append(o.Servers[0].Tags, twin.TagTrait+trait)
			if trait == "firewall-shuts-us-out" {
				o.ShellSpeed = 60 // three minutes of the host are three seconds
			}
		}
	})
}

func (f *fixture) firewallStep(t *testing.T) runbook.Outcome {
	t.Helper()
	s, _ := runbook.Standalone().Step(runbook.Firewall)
	return f.step(t, s)
}

func TestAFirewallThatWouldFilterIsAPersonsToDecide(t *testing.T) {
	t.Parallel()
	f := firewalled(t, "firewall-filters")
	out := f.firewallStep(t)
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "would filter") || !strings.Contains(out.Remedy, "accept the finding") {
		t.Fatalf("%+v", out)
	}
	if n := f.journal.count(t, "service-started"); n != 0 || len(f.book.open()) > 0 {
		t.Errorf("%d services were started; ledger %+v", n, f.book.open())
	}
	f.change = func(w *runbook.Work) { w.Waived = []string{"firewall"} }
	f.retry("firewall")
	if out := f.firewallStep(t); out.Kind != runbook.Done || !strings.Contains(out.Message, "still reached") {
		t.Errorf("decided: %+v", out)
	}
}

// TestAFirewallThatShutsUsOutIsStoppedByTheHostItself is the switch: nobody can
// tell the host to stop it, so the host does when it hears nothing.
func TestAFirewallThatShutsUsOutIsStoppedByTheHostItself(t *testing.T) {
	t.Parallel()
	f := firewalled(t, "firewall-filters", "firewall-shuts-us-out")
	before := f.allServices(t)
	f.change = func(w *runbook.Work) { w.Waived = []string{"firewall"} }
	out := f.firewallStep(t)
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "nothing was heard of us") || out.Remedy == "" {
		t.Fatalf("%+v", out)
	}
	if n := f.journal.count(t, "cut-off"); n != 1 {
		t.Errorf("the host was cut off %d times", n)
	}
	f.unwinding = true
	for _, name := range []string{runbook.PutBack, runbook.Tidy} {
		s, _ := runbook.Standalone().Step(name)
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("%s: %+v", name, out)
		}
	}
	if after := f.allServices(t); after["SharedAccess"] != before["SharedAccess"] {
		t.Errorf("SharedAccess is %s, was %s", after["SharedAccess"], before["SharedAccess"])
	}
	f.clean(t)
}

func TestAFirewallThatRunsIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Servers[0].OS = "2008" })
	if out := f.firewallStep(t); out.Kind != runbook.Done || !strings.Contains(out.Message, "left alone") || len(f.book.open()) > 0 {
		t.Errorf("%+v, ledger %+v", out, f.book.open())
	}
}
