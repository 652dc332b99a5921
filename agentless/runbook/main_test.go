package runbook_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// walksAtOnce is how many tests run side by side: a walk of a runbook waits for
// its simulated host four fifths of its time, so that there may be more of them
// than processors.
const walksAtOnce = 8

// TestMain lets more walks run side by side than there are processors, unless
// the command line says how many.
func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", strconv.Itoa(walksAtOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
