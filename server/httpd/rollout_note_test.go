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
