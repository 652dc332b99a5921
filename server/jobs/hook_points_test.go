package jobs_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/hook"
)

// TestHooksAreBoundToPointsThatRunbooksHave: what a hook may be bound to is what
// some runbook comes to, and the other way round.
func TestHooksAreBoundToPointsThatRunbooksHave(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	for _, name := range runbook.Names() {
		table, _ := runbook.ByName(name)
		for _, s := range table.Steps {
			if s.Hook != "" {
				has[s.Hook] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(has)), slices.Sorted(slices.Values(hook.Points()))); diff != "" {
		t.Error(diff)
	}
}
