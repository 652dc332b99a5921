package runbook

import (
	"testing"
	"time"
)

// TestPatienceCountsWatchedTime: hours in which nobody looked are no waiting.
func TestPatienceCountsWatchedTime(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	type look struct {
		after time.Duration // noon
		away  time.Duration
	}
	for _, c := range []struct {
		name        string
		first, then look
		since, ago  time.Duration
	}{
		{"looked at all the time", look{}, look{10 * time.Minute, 0}, 10 * time.Minute, 10 * time.Minute},
		{"a gap between", look{}, look{3*time.Hour + 2*time.Minute, 3 * time.Hour}, 2 * time.Minute, 3*time.Hour + 2*time.Minute},
		{"a gap before", look{time.Hour, time.Hour}, look{time.Hour + 20*time.Minute, time.Hour}, 20 * time.Minute, 20 * time.Minute},
		{"a gap before and one between", look{time.Hour, time.Hour}, look{4 * time.Hour, 3*time.Hour + 50*time.Minute}, 10 * time.Minute, 3 * time.Hour},
		{"a gap of which a part was before", look{}, look{time.Minute, 5 * time.Minute}, 0, time.Minute},
	} {
		w := &Work{Memory: map[string]string{}, Now: noon.Add(c.first.after), Away: c.first.away}
		if d := w.since("x"); d != 0 {
			t.Errorf("%s: at once %s have passed", c.name, d)
		}
		w.Now, w.Away = noon.Add(c.then.after), c.then.away
		if since, ago := w.since("x"), w.ago("x"); since != c.since || ago != c.ago {
			t.Errorf("%s: since %s, want %s; ago %s, want %s", c.name, since, c.since, ago, c.ago)
		}
		if w.unstamp("x"); len(w.Memory) != 0 {
			t.Errorf("%s: left %v", c.name, w.Memory)
		}
	}
	// What an earlier version of the program noted has no time away with it.
	w := &Work{Memory: map[string]string{"x": "1795348800"}, Now: time.Unix(1795348800+600, 0)}
	if d := w.since("x"); d != 10*time.Minute {
		t.Errorf("an old stamp: %s", d)
	}
}
