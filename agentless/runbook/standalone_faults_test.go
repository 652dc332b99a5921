//go:build !race

package runbook_test

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// TestFaultsOfWhatStandsAroundSetup: each ends as FAULTS.md says, and nothing of
// the host is left otherwise but for what is said.
func TestFaultsOfWhatStandsAroundSetup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set       string
		traits    []string
		fault     twin.Fault
		step      string
		kind      runbook.Kind
		of        string // the step that says it
		says      string
		deviation string
		down      string // the service that it is of
		again     bool   // a second attempt, without the fault, goes through
	}{
		"transport does not pause": {
			"HT", nil,
			twin.Fault{Name: "transport-does-not-pause"},
			"tidy", runbook.Done, "drain-transport", "did not pause", "", "", false,
		},
		"queue never empties": {
			"HT", nil,
			twin.Fault{Name: "queue-stays"},
			"tidy", runbook.Done, "drain-transport", "messages are left after", "", "", false,
		},
		"settings unreadable": {
			"CAS", nil,
			twin.Fault{Name: "settings-unreadable"},
			"settings-back", runbook.Failed, "settings-back", "POP3, IMAP4", "could not be read", "", false,
		},
		"settings do not stay": {
			"CAS", nil,
			twin.Fault{Name: "settings-do-not-stay"},
			"settings-back", runbook.Failed, "settings-back", "seen otherwise", "seen otherwise", "", false,
		},
		"Forefront does not disable": {
			"CAS+HT+MBX",
			[]string{"forefront"},
			twin.Fault{Name: "forefront-stays"},
			"forefront", runbook.Failed, "forefront", "fscutility /disable ended with 1", "", "", true,
		},
		"service of others stays down": {
			"CAS", nil,
			twin.Fault{Name: "service-stays-stopped", At: "service:ScanMail_Master"},
			"tidy", runbook.Done, "put-back", "", "it ran before and is Stopped now", "ScanMail_Master", false,
		},
		"restart of forty minutes": {
			"CAS", nil,
			twin.Fault{Name: "slow-restart"},
			"tidy", runbook.Done, "restart", "was restarted", "", "", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, c.set, "en-US", c.traits...)
			c.fault.Host = "MBX1"
			if err := f.fleet.Inject(c.fault); err != nil {
				t.Fatal(err)
			}
			f.limits = true
			f.change2(func(w *runbook.Work) {
				w.Policy.DrainFor = 10 * time.Minute
				w.Waived = []string{"forefront"}
			})
			before := f.allServices(t)
			step, out := f.walk(t, "facts")
			if step != c.step || out.Kind != c.kind || !strings.Contains(f.out[c.of].Message, c.says) {
				t.Fatalf("ended in %s %s: %s\n%s; %s said %q", step, out.Kind, out.Message, out.Remedy, c.of, f.out[c.of].Message)
			}
			if out.Kind == runbook.Failed && out.Remedy == "" {
				t.Error("no remedy")
			}
			for service, state := range f.allServices(t) {
				if before[service] != state && service != c.down {
					t.Errorf("%s is %s, was %s", service, state, before[service])
				}
			}
			if all := strings.Join(f.book.deviations, "; "); c.deviation == "" && all != "" || !strings.Contains(all, c.deviation) {
				t.Errorf("deviations: %q, want one of %q", all, c.deviation)
			}
			if open := f.book.open(); len(open) > 0 {
				t.Errorf("ledger %+v", open)
			}
			if !c.again {
				return
			}
			f.retry("facts")
			if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
				t.Errorf("the second attempt ended in %s %s: %s", step, out.Kind, out.Message)
			}
		})
	}
}

// TestAFirewallThatCutsUsOffByItsServiceAlone is the fault beside the trait: the
// host stops the service by itself, the upgrade does not begin.
func TestAFirewallThatCutsUsOffByItsServiceAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].Tags = append(o.Servers[0].Tags, twin.TagTrait+"firewall-filters")
		o.Faults, o.ShellSpeed = []twin.Fault{{Host: "MBX1", Name: "firewall-cuts-off"}}, 60
	})
	f.change = func(w *runbook.Work) { w.Waived = []string{"firewall"} }
	out := f.firewallStep(t)
	if out.Kind != runbook.Failed || !strings.Contains(out.Message, "nothing was heard of us") || f.journal.count(t, "cut-off") != 1 {
		t.Errorf("%+v", out)
	}
}

// TestKillsWhileSettingsAreSetBack: the coordinator dies between any two commands
// of the step, and before it saves; the settings are as before all the same.
func TestKillsWhileSettingsAreSetBack(t *testing.T) {
	t.Parallel()
	f := standalone(t, "CAS+HT+MBX", "en-US")
	lost := map[int]bool{}
	f.lost = func(step string, tick int) bool {
		f.kill.mu.Lock()
		f.kill.on = step == "um-config" || step == "settings-back"
		f.kill.mu.Unlock()
		if step != "settings-back" || tick%3 != 1 || lost[tick] {
			return false
		}
		lost[tick] = true
		return len(lost) < 6
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s %s: %s", step, out.Kind, out.Message)
	}
	if f.kill.kills == 0 || len(lost) == 0 {
		t.Errorf("%d kills, %d ticks lost", f.kill.kills, len(lost))
	}
	if missing := follows(f.did(t), []string{"pop PlainTextLogin", "imap PlainTextLogin"}); missing != "" {
		t.Errorf("not set back: %s", missing)
	}
	f.asSet(t)
	f.clean(t)
}
