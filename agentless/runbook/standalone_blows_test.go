//go:build !race

package runbook_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"wavekeeper/agentless/runbook"
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
			before := f.allServices(t)
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
			if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown {
				return // a person decides: the ledger and the host's folders stay
			}
			if open := f.book.open(); len(open) > 0 {
				t.Errorf("%s ended %s (%s), and the ledger is not empty: %+v", step, out.Kind, out.Message, open)
			}
			for name, state := range before {
				if after := f.allServices(t)[name]; after != state {
					t.Errorf("service %s is %s, was %s; deviations %v", name, after, state, f.book.deviations)
				}
			}
			f.clean(t)
		})
	}
}
