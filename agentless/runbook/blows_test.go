//go:build !race

package runbook_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// `make test` strikes a sample by seed, `make torture` everything.
var (
	blowsFull = flag.Bool("blows.full", false, "strike at every step of every runbook, not at a sample")
	blowsSeed = flag.Uint64("blows.seed", 1, "of the sample without -blows.full; 0 = a random one, which is printed")
)

// blow is what hits a host in the middle of a step.
type blow struct {
	step string
	tick int    // at which; of a step that has fewer, the first one of the next step is struck
	node string // whose power goes; "" = the attempt is given up
}

func (b blow) String() string {
	if b.node == "" {
		return fmt.Sprintf("given up in %s, tick %d", b.step, b.tick)
	}
	return fmt.Sprintf("%s without power in %s, tick %d", b.node, b.step, b.tick)
}

// at calls strike once, at the tick of the blow; what it returns is told of every
// tick and says whether this is the one.
func (b blow) at(strike func()) func(step string, tick int) bool {
	reached, struck := false, false
	return func(step string, tick int) bool {
		reached = reached || step == b.step
		if struck || !reached || step == b.step && tick < b.tick {
			return false
		}
		struck = true
		strike()
		return true
	}
}

// sampleOfBlows are so many of all blows, chosen by the seed; all with -blows.full.
func sampleOfBlows[T any](t *testing.T, all []T, most int) []T {
	t.Helper()
	if *blowsFull {
		return all
	}
	seed := *blowsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("a sample of %d of %d blows, -blows.seed=%d", most, len(all), seed)
	random := rand.New(rand.NewPCG(seed, 5))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(most, len(all))]
}
