package httpd

import (
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestRolloutSaysWhyNothingRuns: the sentence over the waves is the answer to
// "what do I do now", so it names what is missing and says nothing twice.
func TestRolloutSaysWhyNothingRuns(t *testing.T) {
	t.Parallel()
	stale := store.UpgradeRow{State: rollout.Held, Reasons: []rollout.Reason{{Rule: "approval-does-not-match", Text: "x"}}}
	for want, w := range map[string]store.WaveView{
		"Wave 3 stopped: MBX1 did not succeed. Its servers start again":          {Number: 3, State: rollout.WaveStopped, StopReason: "Wave 3 stopped: MBX1 did not succeed."},
		"Wave 3 is stopped. Too late. Its servers start again":                   {Number: 3, State: rollout.WaveStopped, StopReason: "too late"},
		"Wave 3 has to be approved again":                                        {Number: 3, State: rollout.WaveRunning, Upgrades: []store.UpgradeRow{stale}},
		"Wave 3 is open, but nothing runs in it now":                             {Number: 3, State: rollout.WaveRunning},
		"Nothing runs: wave 3 waits for the approval of an operator who did not": {Number: 3, State: rollout.WaveWaiting},
	} {
		got, _ := rolloutNote(store.RolloutView{RolloutRow: store.RolloutRow{State: rollout.RolloutRunning}, Waves: []store.WaveView{w}})
		if !strings.HasPrefix(got, want) {
			t.Errorf("rolloutNote = %q, want %q", got, want)
		}
	}
}

// Where waves overlap, the sentence names the wave that it is about.
func TestTheNoteOfOverlappingWavesNamesTheRightOne(t *testing.T) {
	t.Parallel()
	failed := store.WaveView{Number: 1, State: rollout.WaveRunning, Upgrades: []store.UpgradeRow{{State: rollout.Failed}}}
	other := store.WaveView{Number: 2, State: rollout.WaveRunning, Upgrades: []store.UpgradeRow{{State: rollout.Held}}}
	for _, c := range []struct {
		row  store.RolloutRow
		want string
	}{
		{store.RolloutRow{State: rollout.RolloutRunning, Failed: 1}, "Wave 1 waits for a decision about 1 server."},
		{store.RolloutRow{State: rollout.RolloutRunning, Failed: 1, Running: 1}, "Waves 1, 2 are under way."},
		{store.RolloutRow{State: rollout.RolloutRunning}, "Waves 1, 2 are open, but nothing runs"},
	} {
		if got, _ := rolloutNote(store.RolloutView{RolloutRow: c.row, Waves: []store.WaveView{failed, other}}); !strings.HasPrefix(got, c.want) {
			t.Errorf("rolloutNote = %q, want %q", got, c.want)
		}
	}
}

// TestStoppedRolloutPromisesNothing: what was held or approved when a rollout
// was stopped does not start, whatever the reasons were before.
func TestStoppedRolloutPromisesNothing(t *testing.T) {
	t.Parallel()
	held := store.UpgradeRow{State: rollout.Held, Reasons: []rollout.Reason{{Rule: "floor", Text: "1 of 2 must stay"}}}
	w := store.WaveView{Number: 2, State: rollout.WaveApproved, Upgrades: []store.UpgradeRow{held}}
	o := store.RolloutView{RolloutRow: store.RolloutRow{State: rollout.RolloutStopped, StopReason: "storm", Running: 1}, Waves: []store.WaveView{{Number: 1}, w}}
	if got := whyNot(o, w, held); got != "The rollout is stopped" {
		t.Errorf("whyNot = %q", got)
	}
	if got := lane(w, viewer{}, o, 1).Words; strings.Contains(got, "opens") {
		t.Errorf("lane says %q of a stopped rollout", got)
	}
	if got, _ := rolloutNote(o); !strings.HasSuffix(got, "storm. Still in work, until it comes to its end: 1 server.") {
		t.Errorf("rolloutNote = %q", got)
	}
}
