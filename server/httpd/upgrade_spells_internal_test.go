package httpd

import (
	"slices"
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

func TestASpellIsForecastClockOrResult(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]rollout.Spell{
		"":                             {},
		"usually 17 min":               {Expected: 17 * time.Minute},
		"3 min so far, usually 17 min": {Expected: 17 * time.Minute, Lasted: 3 * time.Minute, Times: 1, Runs: true},
		"14 min, usually 17 min":       {Expected: 17 * time.Minute, Lasted: 14 * time.Minute, Times: 1},

		"32 min (2 times), usually 17 min":        {Expected: 17 * time.Minute, Lasted: 32 * time.Minute, Times: 2},
		"40 min so far (2 times), usually 17 min": {Expected: 17 * time.Minute, Lasted: 40 * time.Minute, Times: 2, Runs: true},
	} {
		if got := spellOf(s); got != want {
			t.Errorf("%+v is shown as %q, want %q", s, got, want)
		}
	}
}

// A row of the rollout shows a cluster's two times, and none of another server.
func TestARowShowsTheTimesOfACluster(t *testing.T) {
	t.Parallel()
	got := rowTimes(rollout.Spells{
		Downtime: rollout.Spell{Expected: 17 * time.Minute, Lasted: 3 * time.Minute, Times: 1, Runs: true},
		Exposed:  rollout.Spell{Expected: 3 * time.Hour, Lasted: 2 * time.Hour, Times: 1},
	})
	want := []string{"Downtime: 3 min so far, usually 17 min", "No failover: 2 h, usually 3 h"}
	if !slices.Equal(got, want) {
		t.Errorf("the row shows %q, want %q", got, want)
	}
	if got := rowTimes(rollout.Spells{}); len(got) != 0 {
		t.Errorf("a server without clocks shows %q", got)
	}
}
