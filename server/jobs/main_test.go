package jobs_test

import (
	"os"
	"testing"

	"wavekeeper/server/store/storetest"
)

// patience is how much slower than an idle machine a busy one may be.
const patience = 3

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
