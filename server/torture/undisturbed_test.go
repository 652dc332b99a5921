//go:build !race

package torture

import (
	"testing"
	"time"
)

// TestUndisturbed is what every other test here is compared with.
func TestUndisturbed(t *testing.T) {
	t.Parallel()
	a := newArena(t, fleet12("127.107.3"))
	a.approveAll(t)
	began := time.Now()
	a.coordinator(t)
	a.coordinator(t)
	a.finish(t, time.Minute)
	t.Logf("12 servers in %s", time.Since(began).Round(10*time.Millisecond))
	a.check(t)
}
