package rollout

import (
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// unit is the unit of ordering: a standalone server, or a cluster with all its
// CMS under the first by name.
type unit struct {
	name     string
	members  []string // names of the servers in it
	server   exchange.Server
	build    exchange.Build // the oldest of its members'; zero when one is unknown
	boxes    int
	site     string // as spelled by the first server of the site, in order of names
	siteKey  string
	facing   []string // keys of the sites in which a member is internet-facing
	blocked  string   // the rule of the finding that keeps it out of every wave; "" when none does
	reached  bool     // at or above the target
	minutes  int      // P50
	slow     int      // P90
	class    *class   // nil when it takes no part in the order
	priority int      // minutes from its start to the end of what waits for it
}

// goal is what a plan installs: a package, and perhaps a second one after it.
type goal struct {
	first exchange.Package
	then  *exchange.Package
}

func (p Plan) goal() goal { return goal{p.Package, p.Then} }

// target is what a server is at when it is done.
func (g goal) target() exchange.Package {
	if g.then != nil {
		return *g.then
	}
	return g.first
}

// siteKey is how site names are compared.
func siteKey(site string) string { return strings.ToLower(site) }

// units groups servers into units, sorted by name.
func units(servers []exchange.Server, g goal) []*unit {
	list := slices.Clone(servers)
	slices.SortFunc(list, func(a, b exchange.Server) int { return strings.Compare(a.Name, b.Name) })
	spelling := map[string]string{}
	clusters := map[string]*unit{}
	out := make([]*unit, 0, len(list))
	all := make([]unit, len(list))
	for i, s := range list {
		key := siteKey(s.Site)
		if _, ok := spelling[key]; !ok {
			spelling[key] = s.Site
		}
		if s.Cluster != exchange.Standalone && len(s.Nodes) > 0 {
			nodes := nodeKey(s)
			if u, ok := clusters[nodes]; ok {
				u.join(s)
				continue
			}
			clusters[nodes] = &all[i]
		}
		all[i] = unit{name: s.Name, members: []string{s.Name}, server: s, build: s.Build, boxes: s.Mailboxes, site: spelling[key], siteKey: key}
		all[i].face(s)
		out = append(out, &all[i])
	}
	for _, u := range out {
		u.judge(g)
	}
	return out
}

func nodeKey(s exchange.Server) string {
	names := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		names[i] = n.Name
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}

// join adds another CMS of the same cluster.
func (u *unit) join(s exchange.Server) {
	u.members = append(u.members, s.Name)
	u.boxes += s.Mailboxes
	u.face(s)
	if s.Build.IsZero() || s.Build.Compare(u.build) < 0 {
		u.build = s.Build
	}
}

func (u *unit) face(s exchange.Server) {
	if s.InternetFacing {
		u.facing = append(u.facing, siteKey(s.Site))
	}
}

// judge says whether the unit has anything to do and whether it can be done.
func (u *unit) judge(g goal) {
	u.reached = u.build.AtLeast(g.target().Target)
	u.minutes, u.slow = duration(u, g)
	cluster := u.server.Cluster != exchange.Standalone
	switch {
	case u.reached:
	case u.server.Arch == "x86":
		u.blocked = "x86-is-not-supported"
	case cluster && len(u.server.Nodes) < 2:
		u.blocked = "cluster-nodes-are-not-known"
	case cluster && len(u.members) >= len(u.server.Nodes):
		u.blocked = "cluster-has-no-passive-node"
	case g.then != nil && !u.build.IsZero() && u.build.AtLeast(g.first.Target):
		u.blocked = "only-the-second-package-is-missing"
	case !g.first.Applies(u.build):
		u.blocked = "package-does-not-fit"
	}
}

// hosts are the names of the machines that the unit is on.
func (u *unit) hosts() []string {
	if u.server.Cluster == exchange.Standalone {
		return []string{u.name}
	}
	var hosts []string
	for _, n := range u.server.Nodes {
		hosts = append(hosts, strings.ToUpper(n.Name))
	}
	return hosts
}

// todo reports whether the unit belongs in a wave.
func (u *unit) todo() bool { return !u.reached && u.blocked == "" }

func names(list []*unit) []string {
	out := make([]string, len(list))
	for i, u := range list {
		out[i] = u.name
	}
	slices.Sort(out)
	return out
}
