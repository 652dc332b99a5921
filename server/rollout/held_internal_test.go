package rollout

import "testing"

// An event of a server that is held says what is new, never the same sentence again.
func TestHeldWordsSayWhatIsNew(t *testing.T) {
	t.Parallel()
	a, b := Reason{Text: "Waits for A."}, Reason{Text: "Waits for B."}
	for _, c := range []struct {
		state State
		old   []Reason
		now   []Reason
		want  string
	}{
		{Waiting, []Reason{a}, []Reason{a, b}, "S is held: Waits for A. Waits for B."},
		{Held, []Reason{a}, []Reason{a, b}, "S is held: Waits for B."},
		{Held, []Reason{a, b}, []Reason{a}, "S is still held: Waits for A."},
	} {
		if got := heldWords(&UpgradeStatus{Server: "S", State: c.state, Reasons: c.old}, c.now); got != c.want {
			t.Errorf("%v after %v: %q, want %q", c.now, c.old, got, c.want)
		}
	}
}
