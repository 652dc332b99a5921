//go:build !race

package runbook_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/twin"
)

// TestBlowsAtAStandaloneServer aborts the upgrade, or cuts the host's power, at
// steps of the runbook: afterwards the ledger is empty or a person decides, and
// the host is as it was but for what was meant to change.
func TestBlowsAtAStandaloneServer(t *testing.T) {
	t.Parallel()
	type strike struct {
		set string
		blow
	}
	var all []strike
	steps := runbook.Standalone().Steps
	for i, s := range steps {
		for _, node := range []string{"MBX1", ""} {
			if s.PutBack && node == "" {
				continue // what ends every attempt cannot be given up
			}
			for n, set := range slices.Sorted(maps.Keys(roleSets)) {
				tick := (i + n) % 6
				if i+1 == len(steps) || node == "" && steps[i+1].PutBack {
					tick = 0 // no step comes after it that could be struck instead
				}
				all = append(all, strike{set, blow{s.Name, tick, node}})
			}
		}
	}
	for _, b := range sampleOfBlows(t, all, 6) {
		t.Run(fmt.Sprintf("%s %s", b.set, b.blow), func(t *testing.T) {
			t.Parallel()
			f := standalone(t, b.set, "en-US")
			f.limits = true
			before := shot(t, f.fleet, "MBX1")
			struck := false
			f.lost = b.at(func() {
				struck = true
				if b.node == "" {
					f.giveUp = true
				} else if err := f.fleet.PowerLoss(b.node); err != nil {
					t.Error(err)
				}
			})
			step, out := f.walk(t, "facts")
			if !struck {
				t.Fatalf("ended in %s %s before the blow: %s", step, out.Kind, out.Message)
			}
			if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown { // a person decides: the ledger and the host's folders stay
				asBefore(t, step+" ended "+string(out.Kind), f.fleet, f.journal, "MBX1", before, f.book, whileDue)
				f.skip(t)
			}
			if open := f.book.open(); len(open) > 0 {
				t.Errorf("%s ended %s (%s), and the ledger is not empty: %+v", step, out.Kind, out.Message, open)
			}
			var more []string
			if out.Kind == runbook.Done {
				more = append(more, wentThrough)
			}
			asBefore(t, fmt.Sprintf("%s ended %s, deviations %v", step, out.Kind, f.book.deviations), f.fleet, f.journal, "MBX1", before, f.book, more...)
			f.clean(t)
		})
	}
}

// skip is a person who gives a server up that waits for a decision: what was changed
// for a while is put back.
func (f *fixture) skip(t *testing.T) {
	t.Helper()
	f.unwinding, f.lost = true, nil
	for _, s := range runbook.Standalone().Steps {
		if s.PutBack {
			if out := f.step(t, s); out.Kind != runbook.Done {
				t.Errorf("%s ended %s: %s", s.Name, out.Kind, out.Message)
			}
		}
	}
}

// TestABlowBeforeAnythingIsChangedLeavesTheHostAsItWas: an attempt that is given up
// before Setup's turn, with a power loss on the way, leaves not even what an upgrade
// may.
func TestABlowBeforeAnythingIsChangedLeavesTheHostAsItWas(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"facts", "preflight", "record"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, "CAS+HT+MBX+UM", "en-US")
			f.limits = true
			before := shot(t, f.fleet, "MBX1")
			cut, given := false, false
			f.lost = func(at string, tick int) bool {
				switch {
				case at == step && !cut && (step == "facts" || tick > 1):
					cut = true
					if err := f.fleet.PowerLoss("MBX1"); err != nil {
						t.Error(err)
					}
					return true
				case cut && at != "facts" && !given:
					given, f.giveUp = true, true
					return true
				}
				return false
			}
			if ended, out := f.walk(t, "facts"); !cut || out.Kind != runbook.Failed {
				t.Fatalf("ended in %s %s: %s", ended, out.Kind, out.Message)
			}
			if did := f.did(t); slices.ContainsFunc(did, func(d string) bool { return !strings.HasPrefix(d, "started ") }) { // those that Windows starts
				t.Errorf("the host did %v", did)
			}
			if happened := happenedTo(t, f.journal, "MBX1"); happened[bySetup] || happened[byPacks] {
				t.Errorf("happened: %v", happened)
			}
			asBefore(t, "given up", f.fleet, f.journal, "MBX1", before, f.book)
			f.clean(t)
		})
	}
}

// TestSettingsThatSetupResetComeBackWhereTheAttemptEndsBefore the step that sets them
// back: after a Setup that went through, and after one that broke before it changed a
// file, when RTM's files say what counts.
func TestSettingsThatSetupResetComeBackWhereTheAttemptEndsBefore(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *fixture){
		"given up in verify": func(_ *testing.T, f *fixture) {
			f.lost = func(step string, _ int) bool {
				f.giveUp = step == "verify"
				return f.giveUp
			}
		},
		"given up right after Setup was told to run": func(_ *testing.T, f *fixture) {
			f.lost = func(step string, tick int) bool {
				f.giveUp = step == "setup" && tick == 3
				return f.giveUp
			}
		},
		"Setup fails early": func(t *testing.T, f *fixture) {
			if err := f.fleet.Inject(twin.Fault{Host: "MBX1", Name: "setup-fails", At: "phase:4"}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := standalone(t, "CAS+HT+MBX", "en-US")
			before := shot(t, f.fleet, "MBX1")
			end(t, f)
			if step, out := f.walk(t, "facts"); out.Kind != runbook.Failed || step != "verify" && step != "setup" {
				t.Fatalf("ended in %s %s: %s", step, out.Kind, out.Message)
			}
			if open := f.book.open(); len(open) > 0 || len(f.book.deviations) > 0 {
				t.Errorf("open %+v, deviations %v", open, f.book.deviations)
			}
			asBefore(t, name, f.fleet, f.journal, "MBX1", before, f.book)
			f.clean(t)
		})
	}
}
