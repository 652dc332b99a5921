package runbook_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
	"wavekeeper/server/exchange"
)

// toldHooks is one hook at every point that does its work; it notes the point and
// how often Setup and the rollup had begun by then.
type toldHooks struct {
	ran func(point string)
	id  func(id string)
}

func (h *toldHooks) Bound(context.Context, string) ([]string, error) {
	return []string{"balancer"}, nil
}

func (h *toldHooks) Run(_ context.Context, call runbook.HookCall) (runbook.HookRun, error) {
	h.ran(call.Point)
	if h.id != nil {
		h.id(call.ID)
	}
	return runbook.HookRun{State: runbook.HookDone, Words: "exit code 0"}, nil
}

// twoPackages is a server whose plan has SP1 and its rollup 8, with hooks at every
// point; ran is what happened, in its order.
func twoPackages(t *testing.T, kind twin.Platform, faults ...twin.Fault) (f *fixture, ran func() string) {
	t.Helper()
	f = newFixture(t, func(o *twin.Options) {
		o.Language, o.Servers[0].OS, o.Servers[0].Language = kind.Language, kind.OS, kind.Language
		o.Rollups = map[string][]byte{rollupFolder: twin.RollupBytes("sp1-ru8", "x64")}
		o.Faults = faults
	})
	f.server.OS, f.server.Language = kind.OS, kind.Language
	table := runbook.StandaloneServicePackAndRollup()
	second := runbook.Package{Name: "SP1 RU8", Target: exchange.Build{Major: 8, Minor: 1, Build: 375, Revision: 2}, Language: kind.Language, Arch: "x64"}
	var order []string
	programs := 0
	gather := func() {
		started := slices.DeleteFunc(f.journal.entries(t), func(e entry) bool { return e.What != "setup-started" && e.What != "rollup-started" })
		for _, e := range started[programs:] {
			order = append(order, e.What)
		}
		programs = len(started)
	}
	hooks := &toldHooks{ran: func(point string) {
		gather()
		order = append(order, point)
	}}
	f.change = func(w *runbook.Work) {
		w.Then, w.Hooks = second, hooks
		w.Package.Language = kind.Language
		w.Media = runbook.Media{Folder: `C:\Wavekeeper\media\sp1-` + kind.Language + `-x64`, SetupSHA256: twin.SetupSHA256("sp1", kind.Language, "x64")}
		if s, ok := table.Step(f.at); ok && s.Second {
			w.Package = second
			w.Media = runbook.Media{Folder: rollupFolder, SetupSHA256: twin.RollupSHA256("sp1-ru8", "x64")}
		}
	}
	return f, func() string {
		gather()
		return strings.Join(order, " ")
	}
}

// TestServicePackIsFollowedByItsRollup: two packages of one plan, the second in the
// steps that are marked so, the services of others stopped once, and the hooks of
// both around them, in any language.
func TestServicePackIsFollowedByItsRollup(t *testing.T) {
	t.Parallel()
	for _, kind := range []twin.Platform{{OS: "2003", Language: "en-US"}, {OS: "2008", Language: "de-DE"}} {
		t.Run(kind.OS+" "+kind.Language, func(t *testing.T) {
			t.Parallel()
			f, ran := twoPackages(t, kind)
			before := f.everyService(t)
			if step, out := f.walkTable(t, runbook.StandaloneServicePackAndRollup(), ""); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if got := ran(); got != "announce drain setup-started rollup-started undrain after" {
				t.Errorf("ran: %s", got)
			}
			if got := f.out["verify"].Build + " " + f.out[runbook.RollupVerify].Build; got != "8.1.240.6 8.1.375.2" {
				t.Errorf("verified at %s", got)
			}
			if after := f.everyService(t); after != before {
				t.Errorf("services before:\n%s\nafter:\n%s", before, after)
			}
			f.clean(t)
		})
	}
}

// TestARollupThatFailsAfterItsServicePackIsPutBack: the service pack stays, what was
// changed for a while is as before, and a second attempt brings the rollup alone.
func TestARollupThatFailsAfterItsServicePackIsPutBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []twin.Platform{{OS: "2003", Language: "en-US"}, {OS: "2008", Language: "de-DE"}} {
		t.Run(kind.OS+" "+kind.Language, func(t *testing.T) {
			t.Parallel()
			f, ran := twoPackages(t, kind, twin.Fault{Host: "MBX1", Name: "rollup-fails"})
			table := runbook.StandaloneServicePackAndRollup()
			before := f.everyService(t)
			if step, out := f.walkTable(t, table, ""); step != runbook.RollupName || out.Kind != runbook.Failed {
				t.Fatalf("ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if after := f.everyService(t); after != before {
				t.Errorf("services before:\n%s\nafter:\n%s", before, after)
			}
			f.clean(t)
			for _, s := range table.Steps {
				f.attempt[s.Name] = 1
			}
			if step, out := f.walkTable(t, table, "preflight"); step != "tidy" || out.Kind != runbook.Done {
				t.Fatalf("the second attempt ended in %s: %s: %s", step, out.Kind, out.Message)
			}
			if got := ran(); strings.Count(got, "setup-started") != 1 || strings.Count(got, "rollup-started") != 2 {
				t.Errorf("ran: %s", got)
			}
			if after := f.everyService(t); after != before {
				t.Errorf("services before:\n%s\nafter:\n%s", before, after)
			}
			f.clean(t)
		})
	}
}
