//go:build !race

package torture

import (
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestNothingStartsUnapproved: a wave that nobody approved does not begin, not
// when a later one is approved and not when everything before it is done.
func TestNothingStartsUnapproved(t *testing.T) {
	t.Parallel()
	tr := idleTrial(t)
	tr.coordinator(t)
	waves := tr.view(t).Waves
	begun := func(v store.RolloutView) (n int) {
		for _, w := range v.Waves {
			for _, u := range w.Upgrades {
				if u.StartedAt != nil {
					n++
				}
			}
		}
		return n
	}
	for i, wave := range []int{1, 0} { // the second first
		must(t, tr.approve(t, waves[wave].ID, "go"))
		v := tr.rest(t)
		if i == 0 && begun(v) > 0 {
			t.Errorf("%d servers began before the first wave was approved", begun(v))
		}
	}
	tr.await(t, "two waves are done", restWithin, func(v store.RolloutView) bool { return v.Waves[1].State == rollout.WaveDone })
	v := tr.rest(t)
	if u := tr.upgrade(v, "UM1"); u.StartedAt != nil || v.Waves[2].State != rollout.WaveWaiting {
		t.Errorf("UM1 is %s, its wave %s: nobody approved it", u.State, v.Waves[2].State)
	}
	tr.approveAll(t)
	tr.finish(t, rolloutWithin)
	tr.check(t)
}
