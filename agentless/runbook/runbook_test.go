package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

func TestServerIsTakenToServicePack1(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.services(t)
	f.lost = func(step string, tick int) bool {
		if tick == 0 && (step == "record" || step == "verify") {
			f.noPassword(t, "at the beginning of "+step)
		}
		return false
	}
	if step, out := f.walk(t, "facts"); step != "tidy" || out.Kind != runbook.Done {
		t.Fatalf("ended in %s: %+v", step, out)
	}
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
	if len(f.logged) < 20 || !slices.ContainsFunc(f.logged, func(l string) bool { return strings.Contains(l, "completed successfully") }) {
		t.Errorf("%d lines of the setup log, the last: %v", len(f.logged), f.logged[max(0, len(f.logged)-3):])
	}
	for _, finding := range f.out["preflight"].Findings {
		if finding.Severity != runbook.Pass && finding.Severity != runbook.Info && !finding.Unknown {
			t.Errorf("finding %s: %s (%s)", finding.Rule, finding.Text, finding.Evidence)
		}
	}
	if got, want := f.revocation(t), "146432>146944 146432>146944 146944>146432 146944>146432"; got != want {
		t.Errorf("revocation switch %s, want %s", got, want)
	}
	f.clean(t)
	t.Logf("%d ticks", f.ticks)
}
