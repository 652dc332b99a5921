//go:build !race

package torture

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
)

// TestUndisturbed is what every other test here is compared with.
func TestUndisturbed(t *testing.T) {
	t.Parallel()
	a := newArena(t, fleet12("127.107.3"))
	a.approveAll(t)
	began := time.Now()
	a.coordinator(t)
	a.coordinator(t)
	a.finish(t, rolloutWithin)
	t.Logf("12 servers in %s", time.Since(began).Round(10*time.Millisecond))
	a.check(t)
}

// TestTwoSetupsAreSeen: what looks for two Setups at once can fail.
func TestTwoSetupsAreSeen(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]int{
		"A:setup-started A:setup-ended A:setup-started":   0,
		"A:setup-started A:power-loss A:setup-started":    0,
		"A:setup-started B:setup-started A:setup-ended":   0,
		"A:setup-started B:setup-ended A:setup-started":   1,
		"A:restart A:setup-started A:x A:setup-started":   1,
		"B:setup-started B:setup-started A:setup-started": 1,
	} {
		var j truth
		for _, word := range strings.Fields(words) {
			host, what, _ := strings.Cut(word, ":")
			j.entries = append(j.entries, twin.Observation{Host: host, What: what})
		}
		if got := j.overlapping(); len(got) != want {
			t.Errorf("%s: %v, want %d", words, got, want)
		}
	}
}
