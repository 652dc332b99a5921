package httpd

import (
	"testing"
	"time"

	"wavekeeper/server/rollout"
)

func TestASpellIsForecastClockOrResult(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]rollout.Spell{
		"":                             {},
		"usually 17 min":               {Expected: 17 * time.Minute},
		"3 min so far, usually 17 min": {Expected: 17 * time.Minute, Lasted: 3 * time.Minute, Begun: true, Runs: true},
		"14 min, usually 17 min":       {Expected: 17 * time.Minute, Lasted: 14 * time.Minute, Begun: true},
	} {
		if got := spellOf(s); got != want {
			t.Errorf("%+v is shown as %q, want %q", s, got, want)
		}
	}
}
