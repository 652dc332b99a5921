package httpd

import (
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

func minutes(n int) string { return ui.Duration(time.Duration(n) * time.Minute) }

// left says how long a rollout still takes by what planning expects of each
// server, corrected by what its servers took so far. Empty when nothing is left
// or nothing can be said.
func (s *server) left(o store.RolloutView) string {
	report, err := s.reports.of(o.Hash, o.Content)
	if err != nil {
		return ""
	}
	d, known := remaining(o, report)
	if !known || d == 0 {
		return ""
	}
	return "about " + ui.Duration(d)
}

// remaining adds up the waves that are not over: each takes as long as its
// longest server, or as long as all of its servers side by side.
func remaining(o store.RolloutView, report rollout.Report) (time.Duration, bool) {
	if o.State == rollout.RolloutStopped || o.State == rollout.RolloutDone {
		return 0, false
	}
	expected := map[string]time.Duration{}
	for _, w := range report.Waves {
		for _, one := range w.Servers {
			expected[one.Server] = time.Duration(one.P50Minutes) * time.Minute
		}
	}
	var planned, took time.Duration
	for _, w := range o.Waves {
		for _, u := range w.Upgrades {
			if u.State == rollout.Done && u.StartedAt != nil && u.EndedAt != nil {
				planned += expected[u.Server]
				took += u.EndedAt.Sub(*u.StartedAt)
			}
		}
	}
	var sum time.Duration
	for _, w := range o.Waves {
		sum += waveLeft(w, expected, o.Content.Policy.AtOnce)
	}
	if planned > 0 && took > 0 {
		sum = time.Duration(float64(sum) * float64(took) / float64(planned))
	}
	return sum, true
}

func waveLeft(w store.WaveView, expected map[string]time.Duration, atOnce int) time.Duration {
	var longest, all time.Duration
	open := 0
	for _, u := range w.Upgrades {
		if u.State.Decided() || u.State.Broken() {
			continue
		}
		d := expected[u.Server]
		if u.StartedAt != nil && u.State.InWork() {
			d = max(0, d-d*time.Duration(min(100, u.Percent))/100)
		}
		open++
		all += d
		longest = max(longest, d)
	}
	if open == 0 {
		return 0
	}
	side := open
	if atOnce > 0 {
		side = min(side, atOnce)
	}
	return max(longest, all/time.Duration(side))
}
