package runbook

import "testing"

// TestALookAtTheClusterIsNoProgram: else a look that hangs is taken for a Setup
// that runs, and nothing is put back under it.
func TestALookAtTheClusterIsNoProgram(t *testing.T) {
	t.Parallel()
	w := &Work{Installation: "test", Upgrade: 17, Attempt: 1, Turn: "-1"}
	for _, word := range []string{"passive-look-1-1", "upgrade-look-1-1", "restart-1-1", "choose-1"} {
		if name := w.taskName(word); w.isProgram(name) {
			t.Errorf("%s counts as a program", name)
		}
	}
	for _, word := range []string{"setup-1", "upgrade-cms-1", "rollup-2"} {
		if name := w.taskName(word); !w.isProgram(name) {
			t.Errorf("%s does not count as a program", name)
		}
	}
}
