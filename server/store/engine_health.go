package store

import (
	"encoding/json"
	"slices"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// factServicesDown is made of the fact "services" when that is kept: the names
// of services that a role needs and that do not run.
const factServicesDown = "services_down"

// servicesDown makes the fact of services that do not run. It reports false when
// the facts say nothing of services.
func servicesDown(facts []Fact) (Fact, bool) {
	at := slices.IndexFunc(facts, func(f Fact) bool { return f.Name == "services" })
	if at < 0 {
		return Fact{}, false
	}
	var all []exchange.ServiceState
	if err := json.Unmarshal(facts[at].Value, &all); err != nil {
		return Fact{}, false // not as windows.Service writes it: it says nothing
	}
	value, err := json.Marshal(exchange.ServicesDown(all))
	if err != nil {
		return Fact{}, false
	}
	return Fact{Name: factServicesDown, Value: value, Source: facts[at].Source, At: facts[at].At}, true
}

// look takes in what the last look at one host says of its being in service.
// What lies in the future was seen before the clock was set back: it is too old.
func (one *reading) look(r db.FleetRow, now time.Time) {
	var at time.Time
	if r.LastProbeAt != nil && !r.LastProbeAt.After(now.Add(clockSlack)) {
		at = *r.LastProbeAt
	}
	if one.hosts == 1 || at.Before(one.healthAt) {
		one.healthAt = at
	}
	if r.LastProbeOutcome != "" && r.LastProbeOutcome != "done" {
		one.unseen++
		return
	}
	var down []string
	if len(r.ServicesDown) > 0 && json.Unmarshal(r.ServicesDown, &down) == nil {
		one.down = append(one.down, down...)
	}
}

// health is whether the server is in service, as far as its hosts and other
// rollouts say. A cluster is unseen when none of its nodes was reached.
func (one *reading) health(now time.Time) rollout.Health {
	if one.elsewhere {
		return rollout.Health{Down: true, HealthAt: now}
	}
	h := rollout.Health{HealthAt: one.healthAt, Unseen: one.hosts > 0 && one.unseen == one.hosts}
	if !h.HealthAt.After(one.until) && !one.until.After(now.Add(clockSlack)) {
		h.HealthAt = time.Time{} // another rollout had it in work since
	}
	h.DownRoles = exchange.RolesDown(one.server.Roles, one.down)
	h.Down = len(h.DownRoles) > 0 && len(h.DownRoles) == len(one.server.Roles)
	return h
}

// vouch lets an upgrade's own end speak for its server: verified, or proven to
// serve again, it was seen in service then. What a person skipped is out of
// service until a look afterwards shows that it is not.
func vouch(u *rollout.UpgradeStatus, row db.UpgradesOfRolloutRow, now time.Time) {
	if row.EndedAt == nil || u.Down && !u.Unseen && len(u.DownRoles) == 0 {
		return
	}
	// An end in the future was before the clock was set back: it vouches for nothing.
	seen := u.HealthAt.After(*row.EndedAt) || row.EndedAt.After(now.Add(clockSlack)) && !u.HealthAt.IsZero()
	switch {
	case seen:
		u.BackInService = u.BackInService || u.State == rollout.Skipped && !u.Unseen
	case u.State == rollout.Done, u.State == rollout.Failed && u.BackInService:
		u.Health = rollout.Health{HealthAt: *row.EndedAt}
	}
}
