package jobs

import (
	"testing"
	"time"

	"wavekeeper/server/store"
)

// TestATrialOutlastsWhatMayUseIt: a trial that is over while it goes on counts as
// one of which nothing was heard, and two of those close the account.
func TestATrialOutlastsWhatMayUseIt(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"first contact": contactLimit, "tick": tickLimit, "any job": jobLimit} {
		if store.TrialLasts < limit+30*time.Second {
			t.Errorf("a trial lasts %s, and a %s may take %s", store.TrialLasts, name, limit)
		}
	}
}
