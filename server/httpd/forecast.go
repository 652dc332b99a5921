package httpd

import (
	"strings"
	"time"

	"wavekeeper/server/exchange"
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

// remaining adds up the waves that are not over.
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
		sum += waveLeft(w, expected, o.Content)
	}
	if planned > 0 && took > 0 {
		sum = time.Duration(float64(sum) * float64(took) / float64(planned))
	}
	return sum, true
}

// waveLeft is how long the open servers of a wave take at least within the
// limits: the longest of them, or the work divided by the places there are for
// it in all, in a site, and for a role of a site under its floor.
func waveLeft(w store.WaveView, expected map[string]time.Duration, plan rollout.Plan) time.Duration {
	type siteRole struct {
		site string
		role exchange.Role
	}
	held := map[siteRole]int{}
	for _, one := range plan.Servers {
		for _, r := range one.Roles {
			held[siteRole{strings.ToLower(one.Site), r}]++
		}
	}
	var longest, all time.Duration
	open := 0
	bySite, byRole := map[string]time.Duration{}, map[siteRole]time.Duration{}
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
		site := strings.ToLower(u.Site)
		bySite[site] += d
		for _, r := range u.Roles {
			byRole[siteRole{site, r}] += d
		}
	}
	if open == 0 {
		return 0
	}
	least := longest
	if n := plan.Policy.AtOnce; n > 0 {
		least = max(least, all/time.Duration(n))
	}
	if n := plan.Policy.AtOncePerSite; n > 0 {
		for _, d := range bySite {
			least = max(least, d/time.Duration(n))
		}
	}
	for key, d := range byRole {
		n := held[key]
		least = max(least, d/time.Duration(max(1, n-plan.Policy.Floor.Of(n))))
	}
	return least
}
