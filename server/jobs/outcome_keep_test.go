package jobs

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/rollout"
)

// TestWhatKeepsAPutBackIsSaid beyond its hard limit, besides why the attempt
// failed, and once however often it is looked at.
func TestWhatKeepsAPutBackIsSaid(t *testing.T) {
	t.Parallel()
	plain := runbook.Standalone().Plain()
	w := atStep(runbook.PutBack, 10*time.Hour, true)
	w.Message, w.Remedy = "Setup failed with 1.", "Read its log."
	for _, who := range []string{"setup.com (1)", "setup.com (2)"} {
		got := after(w, plain, runbook.Outcome{Kind: runbook.OutOfSight, Answers: true, Message: "Setup still runs: " + who}, noon)
		if got.To != rollout.Unknown || !strings.HasPrefix(got.Message, "Setup failed with 1. ") || strings.Count(got.Message, "Setup still runs") != 1 ||
			!strings.HasSuffix(got.Message, who) || got.Remedy != w.Remedy {
			t.Errorf("%s: %q, %q", got.To, got.Message, got.Remedy)
		}
		w.Message = got.Message
	}
}
