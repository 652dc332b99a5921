package runbook

import "testing"

// TestWhatWasFoundBeforeAProgramCounts: settings read after Setup or a rollup
// began on the node do not replace those of before.
func TestWhatWasFoundBeforeAProgramCounts(t *testing.T) {
	t.Parallel()
	for _, ran := range []string{"", "setup-1", "rollup-1"} {
		w := &Work{Turn: "-1", Memory: map[string]string{"level": "High"}, Notes: map[string]map[string]string{ran: {setupRan: "yes"}}}
		w.remembered("level", "Lowest")
		want := "High"
		if ran == "" {
			want = "Lowest"
		}
		if got := w.Memory["level"]; got != want {
			t.Errorf("%q ran: level %s, want %s", ran, got, want)
		}
	}
}
