package runbook_test

import (
	"context"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/windows"
)

// TestTheRevocationSwitchOfAnAccountIsPutBackAsThatAccountOnly: the wave is
// approved again with another account after Setup died under the first.
func TestTheRevocationSwitchOfAnAccountIsPutBackAsThatAccountOnly(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	f.retry("stop-services")
	f.change = func(w *runbook.Work) { w.RunAs = runbook.Account{Name: `LAB\` + user, Password: password} }
	step, out := f.walk(t, "stop-services")
	if step != runbook.PutBack || out.Kind != runbook.Failed {
		t.Fatalf("as another account ended in %s: %+v", step, out)
	}
	if got := f.out["setup"]; got.Kind != runbook.Failed || !strings.Contains(got.Message, runas) || !strings.Contains(got.Remedy, runas) {
		t.Errorf("setup as another account: %+v", got)
	}
	if got := f.out[runbook.PutBack]; got.Kind != runbook.Failed || !strings.Contains(got.Remedy, runas) {
		t.Errorf("put-back as another account: %+v", got)
	}
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	open := f.book.open()
	if len(open) != 1 || open[0].Name != "run-as" || open[0].Before["account"] != runas || len(f.book.deviations) > 0 {
		t.Errorf("open entries %+v, deviations %v, want that of %s alone", open, f.book.deviations, runas)
	}
	f.change = nil
	f.retry("facts")
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("retry as the first account ended in %s: %+v", step, out)
	}
	if got := f.switches(t); got != asFound || len(f.book.deviations) > 0 {
		t.Errorf("revocation switch %s, want %s; deviations: %v", got, asFound, f.book.deviations)
	}
	f.clean(t)
}

// TestAnEntryOfAnOlderVersionIsPutBackAsThePresentAccount: such an entry does
// not say whose it is.
func TestAnEntryOfAnOlderVersionIsPutBackAsThePresentAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	e := runbook.Entry{Kind: runbook.RevocationEntry, Name: "run-as", Before: map[string]string{
		"task": windows.TaskName("test", 17, "setup", 1), "file": "revocation-user", "value": "0x23c00",
	}}
	if _, err := f.book.Change(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	s, _ := runbook.Standalone().Step(runbook.PutBack)
	if out := f.step(t, s); out.Kind != runbook.Done || len(f.book.open()) > 0 || len(f.book.deviations) > 0 {
		t.Errorf("put-back: %+v, open %+v, deviations %v", out, f.book.open(), f.book.deviations)
	}
}

// TestABlockedRetryDoesNotDenyWhatAnEarlierAttemptChanged: Setup may have run.
func TestABlockedRetryDoesNotDenyWhatAnEarlierAttemptChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.change = func(w *runbook.Work) { w.Package.Language = "xx-XX" }
	for _, c := range []struct{ want, never string }{
		{"nothing was changed on the host.", "in this attempt"}, {"nothing was changed on the host in this attempt.", "host."},
	} {
		if step, out := f.walk(t, "preflight"); step != "preflight" || !strings.Contains(out.Remedy, c.want) || strings.Contains(out.Remedy, c.never) {
			t.Errorf("%s: %q, want %q in it", step, out.Remedy, c.want)
		}
		f.retry("preflight")
	}
}
