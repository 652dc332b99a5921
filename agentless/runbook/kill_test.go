//go:build !race

package runbook_test

import (
	"testing"

	"wavekeeper/agentless/runbook"
)

func TestKillAfterEveryTick(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.services(t)
	f.lost = func(_ string, tick int) bool { return tick%2 == 0 }
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
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
	f.clean(t)
}

func TestKillBetweenAnyTwoCommands(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.services(t)
	f.kill.on = true
	f.lost = func(step string, tick int) bool {
		if tick == 0 && (step == "record" || step == "verify") {
			f.noPassword(t, "at the beginning of "+step)
		}
		return false
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	f.kill.on = false
	if got := f.journal.count(t, "setup-started"); got != 1 {
		t.Errorf("Setup started %d times, want once", got)
	}
	if after := f.services(t); after != before {
		t.Errorf("services after: %s, before: %s", after, before)
	}
	if len(f.book.deviations) > 0 {
		t.Errorf("deviations: %v", f.book.deviations)
	}
	f.clean(t)
	t.Logf("%d kills in %d ticks", f.kill.kills, f.ticks)
}

// TestKillWhileARollupIsInstalled: whatever dies before which command, Windows
// Installer is begun once.
func TestKillWhileARollupIsInstalled(t *testing.T) {
	t.Parallel()
	f := rollupFixture(t, nil)
	s, _ := runbook.StandaloneRollup().Step(runbook.RollupName)
	f.kill.on = true
	out := f.step(t, s)
	f.kill.on = false
	if n := f.journal.count(t, "rollup-started"); out.Kind != runbook.Done || n != 1 || f.kill.kills < 20 {
		t.Errorf("%s after %d runs and %d kills: %s", out.Kind, n, f.kill.kills, out.Message)
	}
}

func TestKillWhileAnInterruptedSetupIsTakenUp(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	for _, e := range f.book.open() {
		if e.Kind == runbook.RevocationEntry && e.Before["value"] != "0x23c00" {
			t.Errorf("the ledger does not know the old value while Setup runs: %+v", e)
		}
	}
	f.retry("facts")
	f.kill.on = true
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
	f.kill.on = false
	if got := f.journal.count(t, "setup-started"); got != 2 {
		t.Errorf("Setup started %d times, want once an attempt", got)
	}
	for _, found := range f.out["preflight"].Findings {
		if found.Rule == "interrupted-setup" && found.Severity != runbook.Warning {
			t.Errorf("our own unfinished Setup is a %s: %s (%s)", found.Severity, found.Text, found.Evidence)
		}
	}
	if got := f.switches(t); got != asFound || len(f.book.deviations) > 0 {
		t.Errorf("revocation switch %s, want %s; deviations: %v", got, asFound, f.book.deviations)
	}
	f.clean(t)
}
