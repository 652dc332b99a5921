//go:build !race

package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"wavekeeper/server/store/storetest"
)

var (
	seedFlag   = flag.Uint64("torture.seed", 0, "seed of all choices; 0 = a random one, which is printed")
	roundsFlag = flag.Int("torture.rounds", 1, "how often the random parts are repeated")
	fullFlag   = flag.Bool("torture.full", false, "everything, not a sample")
)

// TestMain is a coordinator when a test of this package started it as one.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childVariable); raw != "" {
		if err := coordinate(raw); err != nil {
			fmt.Fprintln(os.Stderr, "coordinator:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = rand.Uint64()>>1 + 1
	}
	fmt.Printf("torture: -torture.seed=%d -torture.rounds=%d -torture.full=%t\n", *seedFlag, *roundsFlag, *fullFlag)
	code := storetest.Main(m)
	ledger.print(os.Stdout)
	os.Exit(code)
}

// chance returns the random numbers of one test, which depend on the seed and
// the test's name alone, so that a test can be repeated by itself.
func chance(t testing.TB) *rand.Rand {
	var name uint64 = 14695981039346656037
	for _, b := range []byte(t.Name()) {
		name = (name ^ uint64(b)) * 1099511628211
	}
	t.Logf("-torture.seed=%d", *seedFlag)
	return rand.New(rand.NewPCG(*seedFlag, name))
}
