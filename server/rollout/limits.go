package rollout

import (
	"fmt"
	"slices"
	"time"

	"wavekeeper/server/exchange"
)

// limits counts, while a decision is made, what is in work and in service.
type limits struct {
	policy    Policy
	now       time.Time
	inWork    int
	workSite  map[string]int
	have      map[siteRole]int // servers of a role in a site
	inService map[siteRole]int
	down      map[string]bool // units that are out of service
	pilots    map[siteRole]*pilot
}

// pilot is how far the first server of a role and site is.
type pilot struct {
	begun  bool
	proven bool // one was verified long enough ago
}

func newLimits(d *decision, list []*unit) limits {
	l := limits{
		policy: d.s.Plan.Policy, now: d.now, workSite: map[string]int{}, have: population(list), inService: map[siteRole]int{},
		down: map[string]bool{}, pilots: map[siteRole]*pilot{},
	}
	for _, u := range list {
		up := d.upgrades[u.name]
		if up != nil {
			l.watchPilot(u, up)
			if up.State.InWork() {
				l.inWork++
				l.workSite[u.siteKey]++
			}
			l.down[u.name] = up.Down || up.outOfService()
		} else {
			l.down[u.name] = d.outside[u.name].down
		}
		if !l.down[u.name] {
			l.serve(u, 1)
		}
	}
	return l
}

// outOfService reports whether our own work keeps a server from serving: from
// its start until it is done or was proven to serve again.
func (u *UpgradeStatus) outOfService() bool {
	switch u.State {
	case Done:
		return false
	case Running, Paused, OutOfSight:
		return true
	case Waiting, Held, Interrupted, Unknown, Failed, Skipped:
		return !u.StartedAt.IsZero() && !u.BackInService
	}
	return true
}

func (l *limits) serve(u *unit, n int) {
	for _, r := range u.server.Roles {
		l.inService[siteRole{u.siteKey, r}] += n
	}
}

func (l *limits) watchPilot(u *unit, up *UpgradeStatus) {
	for _, r := range u.server.Roles {
		p := l.pilot(u, r)
		if up.State.InWork() || up.State == Failed || up.State == Done {
			p.begun = true
		}
		healthy := time.Duration(l.policy.PilotMinutes) * time.Minute
		if up.State == Done && !up.Down && !up.VerifiedAt.IsZero() && l.now.Sub(up.VerifiedAt) >= healthy {
			p.proven = true
		}
	}
}

func (l *limits) pilot(u *unit, r exchange.Role) *pilot {
	key := siteRole{u.siteKey, r}
	if l.pilots[key] == nil {
		l.pilots[key] = &pilot{}
	}
	return l.pilots[key]
}

// take counts a server as in work and out of service.
func (l *limits) take(u *unit) {
	l.inWork++
	l.workSite[u.siteKey]++
	for _, r := range u.server.Roles {
		l.pilot(u, r).begun = true
	}
	if !l.down[u.name] {
		l.down[u.name] = true
		l.serve(u, -1)
	}
}

// reasons says which limits a start would break.
func (l *limits) reasons(u *unit, up *UpgradeStatus) []Reason {
	var out []Reason
	if n := l.policy.AtOnce; n > 0 && l.inWork >= n {
		out = append(out, plainReason("at-once", fmt.Sprintf("%d servers are in work or about to start, and no more than %d may be.", l.inWork, n)))
	}
	if n := l.policy.AtOncePerSite; n > 0 && l.workSite[u.siteKey] >= n {
		out = append(out, plainReason("at-once-per-site", fmt.Sprintf("%d servers in %s are in work or about to start, and no more than %d may be.", l.workSite[u.siteKey], siteWords(u.site), n)))
	}
	out = append(out, l.floorReasons(u)...)
	if l.policy.PilotMinutes > 0 && up.StartedAt.IsZero() {
		for _, r := range u.server.Roles {
			if p := l.pilot(u, r); p.begun && !p.proven {
				reason := plainReason("pilot", fmt.Sprintf("The first %s server of %s must be healthy for %d minutes first.", r, siteWords(u.site), l.policy.PilotMinutes))
				reason.Scope = u.site
				out = append(out, reason)
			}
		}
	}
	return out
}

// floorReasons says for which roles too few would stay in service. A server
// that is out of service already takes nothing away.
func (l *limits) floorReasons(u *unit) []Reason {
	if l.down[u.name] {
		return nil
	}
	var out []Reason
	for _, r := range u.server.Roles {
		key := siteRole{u.siteKey, r}
		need := l.policy.Floor.Of(l.have[key])
		if need == 0 || l.inService[key]-1 >= need {
			continue
		}
		reason := plainReason("floor", fmt.Sprintf("%d of %d %s servers of %s are in service and at least %d must stay.", l.inService[key], l.have[key], r, siteWords(u.site), need))
		reason.Scope = u.site
		out = append(out, reason)
	}
	return slices.Clip(out)
}
