package runbook_test

import (
	"strings"
	"testing"

	"wavekeeper/agentless/runbook"
)

// TestClearingSaysWhatSetupDoesThen holds the advice to the marks: what a Setup
// without its Watermark does is not what one with it does.
func TestClearingSaysWhatSetupDoesThen(t *testing.T) {
	t.Parallel()
	f := interrupted(t)
	if out := f.decide(t, runbook.ClearMarkers); !strings.Contains(out.Remedy, "Setup begins anew") {
		t.Errorf("after clearing: %q", out.Remedy)
	}
	if out := f.decide(t, runbook.RestoreMarkers); !strings.Contains(out.Remedy, "go on from its Watermark") {
		t.Errorf("after putting back: %q", out.Remedy)
	}
}
