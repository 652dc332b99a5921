package jobs_test

import (
	"os"
	"testing"

	"wavekeeper/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
