//go:build !race

package runbook_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
)

// standaloneTorture tries every blow instead of a sample.
var standaloneTorture = flag.Bool("standalone-torture", false, "abort and cut the power at every step of the standalone runbook, not at a sample")

// TestBlowsAtAStandaloneServer aborts the upgrade, or cuts the host's power, at
// steps of the runbook: afterwards the ledger is empty or a person decides, and
// the host is as it was but for what was meant to change.
func TestBlowsAtAStandaloneServer(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 5))
	type blow struct {
		set, step string
		power     bool
		tick      int
	}
	var blows []blow
	for _, s := range runbook.Standalone().Steps {
		for _, power := range []bool{false, true} {
			if s.PutBack && !power {
				continue // what ends every attempt cannot be given up
			}
			for set := range maps.Keys(roleSets) {
				blows = append(blows, blow{set, s.Name, power, random.IntN(6)})
			}
		}
	}
	random.Shuffle(len(blows), func(i, j int) { blows[i], blows[j] = blows[j], blows[i] })
	if !*standaloneTorture {
		blows = blows[:6]
	}
	for _, b := range blows {
		kind := "given up"
		if b.power {
			kind = "power cut"
		}
		t.Run(fmt.Sprintf("%s %s in %s, tick %d", b.set, kind, b.step, b.tick), func(t *testing.T) {
			t.Parallel()
			f := standalone(t, b.set, "en-US")
			f.limits = true
			before := f.allServices(t)
			struck := false
			f.lost = func(step string, tick int) bool {
				if struck || step != b.step || tick < b.tick {
					return false
				}
				struck = true
				if b.power {
					if err := f.fleet.PowerLoss("MBX1"); err != nil {
						t.Error(err)
					}
				} else {
					f.giveUp = true
				}
				return true
			}
			step, out := f.walk(t, "facts")
			if out.Kind == runbook.Interrupted || out.Kind == runbook.Unknown {
				return // a person decides: the ledger and the host's folders stay
			}
			if !struck && out.Kind != runbook.Done {
				t.Fatalf("ended in %s %s before the blow: %s", step, out.Kind, out.Message)
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
