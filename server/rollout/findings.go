package rollout

import (
	"fmt"
	"slices"

	"wavekeeper/server/exchange"
)

// Severity says how heavy a finding is.
type Severity string

// The severities of findings.
const (
	Blocker Severity = "blocker"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// PlanFinding is what a rule of planning found, grouped over servers.
type PlanFinding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Servers  []string `json:"servers"`
	Text     string   `json:"text"`
}

// planRules lists the rules of planning in the order in which they are shown.
var planRules = []struct {
	name     string
	severity Severity
	find     func(m *maker) (servers []string, text string)
}{
	{"x86-is-not-supported", Blocker, findBlocked("x86-is-not-supported", "the 32-bit version of Exchange 2007 is for test systems and is not upgraded here; these servers are in no wave")},
	{"cluster-nodes-are-not-known", Blocker, findBlocked("cluster-nodes-are-not-known", "a cluster is upgraded node by node and its nodes are not in the inventory; these servers are in no wave")},
	{"cluster-has-no-passive-node", Blocker, findBlocked("cluster-has-no-passive-node", "a cluster is upgraded by way of a node that holds no clustered mailbox server, and it has none; these servers are in no wave")},
	{"only-the-second-package-is-missing", Blocker, findBlocked("only-the-second-package-is-missing", "these servers are at the service pack already and only the rollup is missing; plan the rollup by itself for them")},
	{"package-does-not-fit", Blocker, findBlocked("package-does-not-fit", "a rollup belongs to one service pack level and these servers are at another; install that service pack first")},
	{"floor-leaves-nothing-to-start", Blocker, findFloor},
	{"waits-for-server-in-no-wave", Warning, findHeld},
	{"site-is-not-known", Warning, findNoSite},
	{"build-is-not-known", Warning, findNoBuild},
	{"only-server-of-its-role-in-its-site", Warning, findOnly},
	{"no-internet-facing-site", Info, findNoFacing},
	{"already-at-the-target", Info, findReached},
}

func (m *maker) findings() []PlanFinding {
	out := []PlanFinding{}
	for _, r := range planRules {
		servers, text := r.find(m)
		if text != "" {
			out = append(out, PlanFinding{r.name, r.severity, sorted(servers), text})
		}
	}
	return out
}

// gather returns the names of units for which a claim holds and, if there are
// any, the text.
func (m *maker) gather(text string, holds func(*unit) bool) ([]string, string) {
	var found []*unit
	for _, u := range m.units {
		if holds(u) {
			found = append(found, u)
		}
	}
	if len(found) == 0 {
		return nil, ""
	}
	return names(found), fmt.Sprintf("%s: %s.", shortList(names(found)), text)
}

func findBlocked(rule, text string) func(*maker) ([]string, string) {
	return func(m *maker) ([]string, string) {
		return m.gather(text, func(u *unit) bool { return u.blocked == rule })
	}
}

func findNoSite(m *maker) ([]string, string) {
	return m.gather("no AD site is given; servers without one are taken as one site", func(u *unit) bool { return u.siteKey == "" })
}

func findNoBuild(m *maker) ([]string, string) {
	return m.gather("the build is not known; they are planned as if they had to be upgraded", func(u *unit) bool { return u.build.IsZero() })
}

func findReached(m *maker) ([]string, string) {
	return m.gather("already at "+m.plan.Target().Words+" or newer; they are in no wave and satisfy what waits for them", func(u *unit) bool { return u.reached })
}

// siteRole is what a floor is about.
type siteRole struct {
	site string
	role exchange.Role
}

// population counts the servers of each role in each site.
func population(lists ...[]*unit) map[siteRole]int {
	count := map[siteRole]int{}
	for _, list := range lists {
		for _, u := range list {
			for _, r := range u.server.Roles {
				count[siteRole{u.siteKey, r}]++
			}
		}
	}
	return count
}

func findOnly(m *maker) ([]string, string) {
	count := population(m.units, m.outside)
	var servers, words []string
	for _, u := range m.units {
		if !u.todo() {
			continue
		}
		for _, r := range u.server.Roles {
			if count[siteRole{u.siteKey, r}] == 1 {
				words = append(words, fmt.Sprintf("%s (%s in %s)", u.name, r, siteWords(u.site)))
				if !slices.Contains(servers, u.name) {
					servers = append(servers, u.name)
				}
			}
		}
	}
	if len(servers) == 0 {
		return nil, ""
	}
	return servers, "The only servers of a role in their site, which is without that role while they are upgraded: " + shortList(words) + "."
}

func siteWords(site string) string {
	if site == "" {
		return "the site without a name"
	}
	return "site " + site
}

func findFloor(m *maker) ([]string, string) {
	var servers, words []string
	count := population(m.units, m.outside)
	said := map[siteRole]bool{}
	for _, u := range m.units {
		if !u.todo() {
			continue
		}
		for _, r := range u.server.Roles {
			key := siteRole{u.siteKey, r}
			n := count[key]
			if need := m.plan.Policy.Floor.Of(n); need >= n && need > 0 {
				if !slices.Contains(servers, u.name) {
					servers = append(servers, u.name)
				}
				if !said[key] {
					words = append(words, fmt.Sprintf("%s in %s: %d of %d must stay in service", r, siteWords(u.site), need, n))
				}
				said[key] = true
			}
		}
	}
	if len(servers) == 0 {
		return nil, ""
	}
	return servers, "The floor leaves no server that may be taken out of service: " + shortList(words) + "."
}

// findHeld names the servers in waves that wait for a server that no wave
// upgrades: blocked, or outside the plan and below the target.
func findHeld(m *maker) ([]string, string) {
	all := units(append(slices.Clone(m.plan.Servers), serversOf(m.outside)...), m.plan.goal())
	inPlan := map[string]bool{}
	for _, u := range m.units {
		inPlan[u.name] = u.todo()
	}
	o := newOrder(all, m.rules, m.plan.Scope, m.plan.Package, false, func(u *unit) bool { return !u.reached })
	var held, waits []string
	for _, c := range o.classes {
		stuck := stuckBefore(c, inPlan)
		if len(stuck) == 0 {
			continue
		}
		before := len(held)
		for _, u := range c.units {
			if inPlan[u.name] {
				held = append(held, u.name)
			}
		}
		if len(held) > before {
			waits = append(waits, stuck...)
		}
	}
	if len(held) == 0 {
		return nil, ""
	}
	slices.Sort(waits)
	slices.Sort(held)
	waits = slices.Compact(waits)
	return held, fmt.Sprintf("%s will be held until %s reached the target in another way or a person waives the order.", shortList(held), shortList(waits))
}

func stuckBefore(c *class, inPlan map[string]bool) []string {
	var stuck []string
	for _, g := range c.before {
		for _, name := range g.servers {
			if !inPlan[name] {
				stuck = append(stuck, name)
			}
		}
	}
	slices.Sort(stuck)
	return slices.Compact(stuck)
}

func serversOf(list []*unit) []exchange.Server {
	out := make([]exchange.Server, len(list))
	for i, u := range list {
		out[i] = u.server
	}
	return out
}

func findNoFacing(m *maker) ([]string, string) {
	if m.plan.Scope != ScopeSite || len(m.units) == 0 {
		return nil, ""
	}
	sites := map[string]bool{}
	for _, u := range m.units {
		if len(u.facing) > 0 {
			return nil, ""
		}
		sites[u.siteKey] = true
	}
	if len(sites) < 2 {
		return nil, ""
	}
	return []string{}, "No server is marked as internet-facing, so no site's client access comes first."
}
