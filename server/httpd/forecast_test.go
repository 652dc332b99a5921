package httpd

import (
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestForecastOfAWaveKnowsTheLimits: two servers of a role in a site with a
// floor of one go one after the other, whatever may run at once elsewhere.
func TestForecastOfAWaveKnowsTheLimits(t *testing.T) {
	t.Parallel()
	server := func(name, site string) store.UpgradeRow {
		return store.UpgradeRow{Server: name, Site: site, Roles: []exchange.Role{exchange.ClientAccess}, State: rollout.Waiting}
	}
	w := store.WaveView{Upgrades: []store.UpgradeRow{server("A", "Berlin"), server("B", "berlin"), server("C", "Hamburg")}}
	expected := map[string]time.Duration{"A": 40 * time.Minute, "B": 50 * time.Minute, "C": 60 * time.Minute}
	var plan rollout.Plan
	for _, u := range w.Upgrades {
		plan.Servers = append(plan.Servers, exchange.Server{Name: u.Server, Site: u.Site, Roles: u.Roles})
	}
	for name, tc := range map[string]struct {
		policy rollout.Policy
		want   time.Duration
	}{
		"no limits":        {rollout.Policy{}, 60 * time.Minute},
		"one at once":      {rollout.Policy{AtOnce: 1}, 150 * time.Minute},
		"one per site":     {rollout.Policy{AtOncePerSite: 1}, 90 * time.Minute},
		"one stays":        {rollout.Policy{AtOnce: 10, Floor: rollout.Floor{Count: 1}}, 90 * time.Minute},
		"more than enough": {rollout.Policy{AtOnce: 3}, 60 * time.Minute},
	} {
		plan.Policy = tc.policy
		if got := waveLeft(w, expected, plan); got != tc.want {
			t.Errorf("%s: waveLeft = %s, want %s", name, got, tc.want)
		}
	}
}
