package runbook_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// TestServicePackIsFollowedByItsRollup: two packages of one plan, the second in the
// steps that are marked so, and the services of others stopped once.
func TestServicePackIsFollowedByItsRollup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *twin.Options) {
		o.Rollups = map[string][]byte{rollupFolder: twin.RollupBytes("sp1-ru8", "x64")}
	})
	table := runbook.StandaloneServicePackAndRollup()
	second := runbook.Package{Name: "SP1 RU8", Target: exchange.Build{Major: 8, Minor: 1, Build: 375, Revision: 2}, Language: "en-US", Arch: "x64"}
	before := f.everyService(t)
	at := ""
	f.change = func(w *runbook.Work) {
		w.Then = second
		if s, ok := table.Step(at); ok && s.Second {
			w.Package = second
			w.Media = runbook.Media{Folder: rollupFolder, SetupSHA256: twin.RollupSHA256("sp1-ru8", "x64")}
		}
	}
	for _, s := range table.Steps {
		at = s.Name
		if out := f.step(t, s); out.Kind != runbook.Done {
			t.Fatalf("ended in %s: %s: %s", s.Name, out.Kind, out.Message)
		}
	}
	var ran []string
	for _, e := range f.journal.entries(t) {
		if e.What == "setup-started" || e.What == "rollup-started" {
			ran = append(ran, e.What)
		}
	}
	if got := strings.Join(ran, " "); got != "setup-started rollup-started" {
		t.Errorf("ran: %s", got)
	}
	if got := f.out["verify"].Build + " " + f.out[runbook.RollupVerify].Build; got != "8.1.240.6 8.1.375.2" {
		t.Errorf("verified at %s", got)
	}
	if after := f.everyService(t); after != before {
		t.Errorf("services before:\n%s\nafter:\n%s", before, after)
	}
	f.clean(t)
}
