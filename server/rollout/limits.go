package rollout

import (
	"fmt"
	"slices"
	"strings"
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
	inService map[siteRole]int // by what was seen of them last
	vouched   map[siteRole]int // those of them that were seen lately
	of        map[siteRole][]*unit
	service   map[string]service // by unit
	pilots    map[siteRole]*pilot
	witness   witnesses
	unsure    []string // units to look at: a start depends on whether they are in service
}

// service is what is known of a unit's being in service.
type service struct {
	out     bool // by our own work: it is back when that says so
	cluster bool // it serves people but for the time between stop and online, and counts as out all the same
	skipped bool // nothing of ours says so any more: it is back when a look shows it
	seen    Health
}

// serves reports whether the role was in service when last seen.
func (s service) serves(r exchange.Role) bool {
	return !s.out && !s.seen.Unseen && !s.gone(r)
}

// gone reports whether the role is out of service for sure: taking the unit out
// takes nothing away.
func (s service) gone(r exchange.Role) bool {
	return s.out || s.seen.Down || slices.Contains(s.seen.DownRoles, r)
}

func (s service) fresh(now time.Time, age time.Duration) bool {
	return within(s.seen.HealthAt, now, age)
}

// pilot is how far the first server of a role and site is.
type pilot struct {
	begun    bool
	proven   bool     // one was verified long enough ago
	doubtful []string // units that would prove it, but were out of service when seen last
}

func newLimits(d *decision, list []*unit) limits {
	l := limits{
		policy: d.s.Plan.Policy, now: d.now, workSite: map[string]int{}, have: population(list), inService: map[siteRole]int{},
		vouched: map[siteRole]int{}, of: map[siteRole][]*unit{}, service: map[string]service{}, pilots: map[siteRole]*pilot{},
	}
	l.witness = newWitnesses(d, list)
	for _, u := range list {
		up := d.upgrades[u.name]
		if up != nil {
			l.watchPilot(u, up)
			if up.State.InWork() {
				l.inWork++
				l.workSite[u.siteKey]++
			}
			l.service[u.name] = service{out: up.outOfService(), cluster: u.server.Cluster != exchange.Standalone && up.State.InWork(), skipped: up.State == Skipped, seen: up.Health}
		} else {
			l.service[u.name] = service{seen: d.outside[u.name].Health}
		}
		for _, r := range u.server.Roles {
			key := siteRole{u.siteKey, r}
			l.of[key] = append(l.of[key], u)
		}
		l.count(u, 1)
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

// count adds a unit to what is in service, or takes it away.
func (l *limits) count(u *unit, n int) {
	s := l.service[u.name]
	for _, r := range u.server.Roles {
		if !s.serves(r) {
			continue
		}
		l.inService[siteRole{u.siteKey, r}] += n
		if s.fresh(l.now, HealthFresh) {
			l.vouched[siteRole{u.siteKey, r}] += n
		}
	}
}

func (l *limits) watchPilot(u *unit, up *UpgradeStatus) {
	for _, r := range u.server.Roles {
		p := l.pilot(u, r)
		if up.State.InWork() || up.State == Failed || up.State == Done {
			p.begun = true
		}
		healthy := time.Duration(l.policy.PilotMinutes) * time.Minute
		if up.State != Done || up.VerifiedAt.IsZero() || l.now.Sub(up.VerifiedAt) < healthy {
			continue
		}
		if up.Down {
			p.doubtful = append(p.doubtful, u.name)
			continue
		}
		p.proven = true
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
	l.witness.begins(u)
	l.count(u, -1)
	s := l.service[u.name]
	s.out, s.cluster = true, u.server.Cluster != exchange.Standalone
	l.service[u.name] = s
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
				l.lookAgain(p.doubtful)
			}
		}
	}
	return out
}

// lookAgain names units whose being out of service holds a start: nobody else
// looks whether they are back.
func (l *limits) lookAgain(names []string) {
	for _, name := range names {
		if !l.service[name].fresh(l.now, ReadAgainAfter) {
			l.unsure = append(l.unsure, name)
		}
	}
}

// floorReasons says for which roles too few would stay in service. A server
// that does not serve a role takes nothing of it away. What was out of service
// when it was seen may be back: it is looked at again.
func (l *limits) floorReasons(u *unit) []Reason {
	var out []Reason
	for _, r := range u.server.Roles {
		key, need := l.floor(u, r)
		if need == 0 || l.inService[key]-l.mine(u, r) >= need {
			continue
		}
		reason := plainReason("floor", fmt.Sprintf("%d of %d %s servers of %s are in service and at least %d must stay.", l.inService[key], l.have[key], r, siteWords(u.site), need)+l.clustersOut(u, key))
		reason.Scope = u.site
		out = append(out, reason)
		for _, other := range l.of[key] {
			if s := l.service[other.name]; (!s.out || s.skipped) && !s.serves(r) {
				l.lookAgain([]string{other.name})
			}
		}
	}
	return slices.Clip(out)
}

// clustersOut says of clusters in work that they count as out of service, which
// they are between stop and online only. When that time begins is the runbook's
// to say, not ours: a start that counted on it could take both out at once.
func (l *limits) clustersOut(u *unit, key siteRole) string {
	var names []string
	for _, other := range l.of[key] {
		if s := l.service[other.name]; other != u && s.cluster && s.out {
			names = append(names, other.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" A cluster in work counts as out of service to its end, though people reach it except between stop and online: %s.", strings.Join(names, ", "))
}

// healthReasons holds a server until enough of those that must stay in service
// were seen so in the last minutes: what was seen longer ago is looked at again.
func (l *limits) healthReasons(u *unit) []Reason {
	var out []Reason
	for _, r := range u.server.Roles {
		key, need := l.floor(u, r)
		sure := l.vouched[key]
		if l.service[u.name].fresh(l.now, HealthFresh) {
			sure -= l.mine(u, r)
		}
		if need == 0 || sure >= need {
			continue
		}
		reason := plainReason("health-is-old", fmt.Sprintf("At least %d of the %s servers of %s must stay in service, and %d were seen so in the last %d minutes; the others are being looked at now.",
			need, r, siteWords(u.site), sure, int(HealthFresh.Minutes())))
		reason.Scope = u.site
		out = append(out, reason)
	}
	if len(out) > 0 {
		l.lookAround(u)
	}
	return out
}

// lookAround names those on whose being in service the unit's start depends, for
// all its roles at once, so that what was seen of one does not grow old while
// another is looked at.
func (l *limits) lookAround(u *unit) {
	for _, r := range u.server.Roles {
		key, need := l.floor(u, r)
		if need == 0 {
			continue
		}
		for _, other := range l.of[key] {
			s := l.service[other.name]
			if other != u && s.serves(r) && !s.fresh(l.now, HealthFresh/2) {
				l.unsure = append(l.unsure, other.name)
			}
		}
	}
}

// floor is how many others of the role must be in service when the unit is
// taken out; 0 when it is out of service for sure: then nothing is taken away.
func (l *limits) floor(u *unit, r exchange.Role) (siteRole, int) {
	key := siteRole{u.siteKey, r}
	if s := l.service[u.name]; s.gone(r) && (s.out || s.fresh(l.now, HealthFresh)) {
		return key, 0
	}
	return key, l.policy.Floor.Of(l.have[key])
}

// mine is 1 when the unit itself is among those in service.
func (l *limits) mine(u *unit, r exchange.Role) int {
	if l.service[u.name].serves(r) {
		return 1
	}
	return 0
}
