package runbook_test

import (
	"context"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
)

// platformFixture is a host of a kind: "2003 1.1 de-DE".
func platformFixture(t *testing.T, words string, localized bool) *fixture {
	t.Helper()
	w := strings.Fields(words)
	f := newFixture(t, func(o *twin.Options) {
		o.Servers[0].OS, o.Servers[0].Language = w[0], w[2]
		o.WinRM, o.LocalizedSetup, o.Speed = w[1], localized, 6000
	})
	f.server.OS, f.server.Language = w[0], w[2]
	f.change = func(work *runbook.Work) {
		work.Package.Language = w[2]
		work.Media = runbook.Media{
			Folder: `C:\Wavekeeper\media\sp1-` + w[2] + `-x64`, SetupSHA256: twin.SetupSHA256("sp1", w[2], "x64"),
		}
	}
	return f
}

// upgraded holds what must be so on every platform when a server is done.
func (f *fixture) upgraded(t *testing.T, before string) {
	t.Helper()
	if got := f.out["verify"].Build; got != "8.1.240.6" {
		t.Errorf("build %s, want 8.1.240.6", got)
	}
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	if after := f.services(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
	if len(f.book.deviations) > 0 {
		t.Errorf("deviations: %v", f.book.deviations)
	}
	if got, want := f.revocation(t), "146432>146944 146432>146944 146944>146432 146944>146432"; got != want {
		t.Errorf("revocation switch %s, want %s", got, want)
	}
	f.clean(t)
}

func TestEveryPlatformIsTakenToServicePack1(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"2003 1.1 de-DE", "2003 2.0 ja-JP", "2008 2.0 ja-JP", "2008 1.1 de-DE"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			f := platformFixture(t, words, false)
			before := f.services(t)
			if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s, %s: %s", step, out.Kind, out.Message)
			}
			for _, finding := range f.out["preflight"].Findings {
				if finding.Severity != runbook.Pass && finding.Severity != runbook.Info && !finding.Unknown {
					t.Errorf("finding %s: %s (%s)", finding.Rule, finding.Text, finding.Evidence)
				}
			}
			f.upgraded(t, before)
		})
	}
}

// TestASetupLogInAnotherLanguageIsADecision: its last sentence is not
// understood, so a person looks; the retry proves the roles and runs no Setup.
func TestASetupLogInAnotherLanguageIsADecision(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"2003 1.1 de-DE", "2008 2.0 ja-JP"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			f := platformFixture(t, words, true)
			before := f.services(t)
			step, out := f.walk(t, "facts")
			if step != "setup" || out.Kind != runbook.Failed || !strings.Contains(out.Message, "no last sentence") || out.Remedy == "" {
				t.Fatalf("ended in %s, %s: %s (%s)", step, out.Kind, out.Message, out.Remedy)
			}
			f.retry("facts")
			if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("the retry ended in %s, %s: %s", step, out.Kind, out.Message)
			}
			f.upgraded(t, before)
		})
	}
}

// TestADelayedStartIsPutBackAsOne: WMI says Auto of a service that starts with a
// delay, and sc.exe takes the delay away with the first other start type.
func TestADelayedStartIsPutBackAsOne(t *testing.T) {
	t.Parallel()
	f := platformFixture(t, "2008 2.0 en-US", false)
	ctx, name := context.Background(), f.server.Services[0]
	if err := f.host.SetStartMode(ctx, name, windows.StartDelayed); err != nil {
		t.Fatal(err)
	}
	delayed := func(name string) bool {
		got, err := f.host.Delayed(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if !delayed(name) || delayed(f.server.Services[1]) || delayed("MSExchangeIS") {
		t.Fatal("one service starts with a delay, and it alone")
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s, %s: %s", step, out.Kind, out.Message)
	}
	if !delayed(name) || delayed(f.server.Services[1]) {
		t.Error("the start types are not as they were")
	}
	if len(f.book.deviations) > 0 {
		t.Errorf("deviations: %v", f.book.deviations)
	}
}
