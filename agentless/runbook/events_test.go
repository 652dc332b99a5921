package runbook_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// eventsOf is what a step kept of the event logs.
func eventsOf(t *testing.T, out runbook.Outcome) string {
	t.Helper()
	i := slices.IndexFunc(out.Evidence, func(e runbook.Evidence) bool { return e.Kind == runbook.EventsEvidence })
	if i < 0 {
		t.Fatalf("no events were kept: %+v", out)
	}
	return string(out.Evidence[i].Data)
}

// TestEventsAreKeptAtVerifyAndNeverJudged: those of Setup, of Windows Installer and
// of the service control manager since Setup began, by their numbers in any language.
func TestEventsAreKeptAtVerifyAndNeverJudged(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en-US", "de-DE"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, "MBX", language)
			// an error of Setup's that is old, and one that comes with a Setup that does all
			f.fleet.WriteEvent("MBX1", "MSExchangeSetup", 1002, 1, time.Now().Add(-30*24*time.Hour), "a Setup of last month failed")
			f.fleet.WriteEvent("MBX1", "MSExchangeSetup", 1002, 1, time.Now().Add(time.Minute), "something failed")
			f.fleet.WriteEvent("MBX1", "Somebody Else", 1, 1, time.Now().Add(time.Minute), "not asked for")
			if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			kept := eventsOf(t, f.out["verify"])
			for _, want := range []string{"Application MSExchangeSetup 1000 type 3", "Application MSExchangeSetup 1001 type 3", "System Service Control Manager 7036 type 3", "MSExchangeIS", "MSExchangeSetup 1002 type 1: something failed"} {
				if !strings.Contains(kept, want) {
					t.Errorf("%q was not kept:\n%s", want, kept)
				}
			}
			for _, no := range []string{"last month", "not asked for", "not read"} {
				if strings.Contains(kept, no) {
					t.Errorf("%q was kept:\n%s", no, kept)
				}
			}
			for name, out := range f.out {
				if name != "verify" && slices.ContainsFunc(out.Evidence, func(e runbook.Evidence) bool { return e.Kind == runbook.EventsEvidence }) {
					t.Errorf("%s kept events, too", name)
				}
			}
		})
	}
}

// TestEventsOfARollupAreKeptBothWays: installed, and left as it was.
func TestEventsOfARollupAreKept(t *testing.T) {
	t.Parallel()
	f := rollupFixture(t, nil)
	if step, out := f.walkTable(t, runbook.StandaloneRollup(), ""); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
	}
	if kept := eventsOf(t, f.out[runbook.RollupVerify]); !strings.Contains(kept, "Application MsiInstaller 1022 type 3") {
		t.Errorf("kept:\n%s", kept)
	}
}

// TestWithoutWMIVerifySaysThatNoEventsWereRead, and goes by the rest.
func TestWithoutWMIVerifySaysThatNoEventsWereRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) { o.Servers[0].Build = sp1 })
	if s, ok := windows.FindService(f.all(t), "winmgmt"); !ok || f.host.StopService(t.Context(), s.Name) != nil {
		t.Fatal("WMI does not stop")
	}
	table := runbook.Standalone()
	verify, _ := table.Step("verify")
	if out := f.step(t, verify); out.Kind != runbook.Done {
		t.Fatalf("%s: %s", out.Kind, out.Message)
	}
	if kept := eventsOf(t, f.out["verify"]); !strings.Contains(kept, "not read: the event logs are WMI's to tell") {
		t.Errorf("kept:\n%s", kept)
	}
}

// TestEventsAreBoundedByCount: the newest are kept, and it is said that there are more.
func TestEventsAreBoundedByCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].Build = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
	})
	now := time.Now()
	for n := range 400 {
		f.fleet.WriteEvent("MBX1", "MsiInstaller", 11707, 3, now.Add(-time.Duration(n)*time.Second), strings.Repeat("long ", 1000))
	}
	all, more, err := f.host.Events(t.Context(), now.Add(-time.Hour))
	if err != nil || len(all) != 300 || !more || len(all[0].Message) != 2000 {
		t.Fatalf("%d events, more %v, %v", len(all), more, err)
	}
	if oldest := all[299].At; oldest.Before(now.Add(-300 * time.Second)) {
		t.Errorf("the oldest is of %s", oldest)
	}
}

func (f *fixture) all(t *testing.T) []windows.Service {
	t.Helper()
	all, err := f.host.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}
