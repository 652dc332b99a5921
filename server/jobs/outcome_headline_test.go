package jobs

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/runbook"
)

// TestHeadlinesSayTheCauseFirst: the upgrade says it in words, its step keeps
// the whole chain.
func TestHeadlinesSayTheCauseFirst(t *testing.T) {
	t.Parallel()
	const chain = "Setup may be running out of sight: look at the Setup task: look at task wk-x: script tasks: unreachable: dial"
	const cause = "127.0.120.3:5985 refuses the connection (asked to look at the Setup task); Setup may be running"
	for _, c := range []struct {
		kind    runbook.Kind
		ago     time.Duration
		message string
	}{
		{runbook.Again, time.Minute, cause},
		{runbook.OutOfSight, time.Minute, "Out of sight: " + cause},
		{runbook.OutOfSight, 7 * time.Hour, "Not seen to end within the step's limit of 6 h: " + cause},
		{runbook.Again, 7 * time.Hour, "Not finished within 6 h: " + cause},
	} {
		save := after(atStep("setup", c.ago, false), runbook.Standalone().Plain(), runbook.Outcome{Kind: c.kind, Message: chain, Headline: cause}, noon)
		if !strings.HasPrefix(save.Message, c.message) || save.StepMessage != chain {
			t.Errorf("%s: headline %q, want %q; step %q", c.kind, save.Message, c.message, save.StepMessage)
		}
	}
}
