package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

var (
	rtm = exchange.Build{Major: 8, Minor: 0, Build: 685, Revision: 25}
	sp1 = exchange.Build{Major: 8, Minor: 1, Build: 240, Revision: 6}
)

func packageNamed(t interface{ Fatalf(string, ...any) }, name string) exchange.Package {
	p, err := exchange.PackageByName(name)
	if err != nil {
		t.Fatalf("package %s: %v", name, err)
	}
	return p
}

// fleet reads "cas1=CAS@BERLIN! hub1=HT+UM@PARIS:sp1 old=MBX@X:x86": name,
// roles, site, ! for internet-facing, and a build word or x86.
func fleet(t *testing.T, words string) []exchange.Server {
	t.Helper()
	var out []exchange.Server
	for word := range strings.FieldsSeq(words) {
		head, mark, _ := strings.Cut(word, ":")
		name, rest, _ := strings.Cut(head, "=")
		roles, site, _ := strings.Cut(rest, "@")
		s := exchange.Server{Name: strings.ToUpper(name), Site: strings.TrimSuffix(site, "!"), InternetFacing: strings.HasSuffix(site, "!"), Build: rtm, Arch: "x64", Language: "en-US", Profile: "default"}
		for part := range strings.SplitSeq(roles, "+") {
			r, err := exchange.ParseRole(part)
			if err != nil {
				t.Fatal(err)
			}
			s.Roles = append(s.Roles, r)
		}
		switch mark {
		case "":
		case "x86":
			s.Arch = "x86"
		case "sp1":
			s.Build = sp1
		case "unknown":
			s.Build = exchange.Build{}
		case "ccr":
			s.Cluster = exchange.CCR
			s.Nodes = []exchange.Node{{Name: s.Name + "A", Address: "a"}, {Name: s.Name + "B", Address: "b"}}
		default:
			t.Fatalf("unknown mark %q", mark)
		}
		out = append(out, s)
	}
	return out
}

func randomFleet(t *rapid.T) []exchange.Server {
	n := rapid.IntRange(0, 14).Draw(t, "servers")
	sites := rapid.IntRange(1, 3).Draw(t, "sites")
	out := make([]exchange.Server, n)
	for i := range out {
		s := exchange.Server{Name: fmt.Sprintf("S%02d", i), Arch: "x64", Language: "en-US", Profile: "default"}
		s.Site = []string{"BERLIN", "Paris", ""}[rapid.IntRange(0, sites-1).Draw(t, "site")]
		s.InternetFacing = rapid.IntRange(0, 3).Draw(t, "facing") == 0
		s.Mailboxes = rapid.IntRange(0, 4000).Draw(t, "mailboxes")
		s.Build = []exchange.Build{rtm, rtm, rtm, {}, sp1, {Major: 8, Minor: 2, Build: 176, Revision: 2}}[rapid.IntRange(0, 5).Draw(t, "build")]
		if mask := rapid.IntRange(1, 16).Draw(t, "roles"); mask == 16 {
			s.Roles = []exchange.Role{exchange.EdgeTransport}
		} else {
			for bit, r := range exchange.Roles()[:4] {
				if mask>>bit&1 == 1 {
					s.Roles = append(s.Roles, r)
				}
			}
		}
		switch rapid.IntRange(0, 15).Draw(t, "kind") {
		case 0:
			s.Arch = "x86"
		case 1:
			s.Roles = []exchange.Role{exchange.Mailbox}
			s.Cluster = exchange.SCC
			s.Nodes = []exchange.Node{{Name: "NA", Address: "a"}, {Name: "NB", Address: "b"}}
		case 2, 3:
			s.Roles = []exchange.Role{exchange.Mailbox}
			s.Cluster = exchange.SCC
			s.Nodes = []exchange.Node{{Name: "PA", Address: "a"}, {Name: "PB", Address: "b"}, {Name: "PC", Address: "c"}}
		}
		out[i] = s
	}
	return out
}

func randomPolicy(t *rapid.T) rollout.Policy {
	p := rollout.DefaultPolicy()
	p.AtOnce = rapid.IntRange(0, 4).Draw(t, "at_once")
	p.AtOncePerSite = rapid.IntRange(0, 3).Draw(t, "at_once_per_site")
	p.Floor = []rollout.Floor{{Count: 0}, {Count: 1}, {Percent: 50}, {Percent: 34}}[rapid.IntRange(0, 3).Draw(t, "floor")]
	p.StopAfterFailures = rapid.IntRange(0, 2).Draw(t, "stop_after_failures")
	p.Overlap = rapid.Bool().Draw(t, "overlap")
	p.PilotMinutes = []int{0, 0, 20}[rapid.IntRange(0, 2).Draw(t, "pilot")]
	return p
}

// judge is the order as design says it, pair by pair and without the
// planner's code.
type judge struct {
	order  []exchange.Role
	before [][2]exchange.Role // all pairs, chains included
	bySite bool
	target exchange.Build
	facing map[string]bool
	full   map[string]bool // clusters without a passive node, by their first server
}

// merged has each cluster once, under its first server by name, with the lowest
// build of all; members are its servers, and full those clusters that have as
// many servers as nodes.
func merged(servers []exchange.Server) (list []exchange.Server, members map[string][]string, full map[string]bool) {
	members, full = map[string][]string{}, map[string]bool{}
	first := map[string]int{}
	all := slices.Clone(servers)
	slices.SortFunc(all, func(a, b exchange.Server) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range all {
		if s.Cluster == "" {
			members[s.Name] = []string{s.Name}
			list = append(list, s)
			continue
		}
		key := fmt.Sprint(s.Nodes)
		at, ok := first[key]
		if !ok {
			at = len(list)
			first[key] = at
			list = append(list, s)
		}
		one := &list[at]
		if s.Build.Compare(one.Build) < 0 {
			one.Build = s.Build
		}
		members[one.Name] = append(members[one.Name], s.Name)
		full[one.Name] = len(members[one.Name]) >= len(s.Nodes)
	}
	return list, members, full
}

func newJudge(servers []exchange.Server, ruleset, scope string, target exchange.Build) judge {
	j := judge{bySite: scope == "site", target: target, facing: map[string]bool{}}
	_, _, j.full = merged(servers)
	c, h, m, u, e := exchange.ClientAccess, exchange.HubTransport, exchange.Mailbox, exchange.UnifiedMessaging, exchange.EdgeTransport
	if ruleset == "standard" {
		j.order = []exchange.Role{c, h, m, u, e}
		j.before = [][2]exchange.Role{{c, h}, {c, m}, {c, u}, {h, m}, {h, u}, {m, u}, {h, e}}
	} else {
		j.order = []exchange.Role{c, u, h, e, m}
		j.before = [][2]exchange.Role{{c, u}, {c, h}, {c, m}, {u, h}, {u, m}, {h, m}, {h, e}}
	}
	for _, s := range servers {
		if s.InternetFacing {
			j.facing[strings.ToLower(s.Site)] = true
		}
	}
	return j
}

func (j judge) rank(s exchange.Server) [3]int {
	var held []int
	box := 0
	for i, r := range j.order {
		if slices.Contains(s.Roles, r) {
			held = append(held, i)
		}
		if r == exchange.Mailbox && slices.Contains(s.Roles, r) {
			box = 1
		}
	}
	return [3]int{held[0], box, held[len(held)-1]}
}

func (j judge) sameScope(a, b exchange.Server) bool {
	return !j.bySite || strings.EqualFold(a.Site, b.Site)
}

// should says that a role of a should come before a role of b.
func (j judge) should(a, b exchange.Server) bool {
	if !j.sameScope(a, b) {
		return false
	}
	for _, pair := range j.before {
		if slices.Contains(a.Roles, pair[0]) && slices.Contains(b.Roles, pair[1]) {
			return true
		}
	}
	return false
}

func (j judge) precedes(a, b exchange.Server) bool {
	ra, rb := j.rank(a), j.rank(b)
	if j.should(a, b) && slices.Compare(ra[:], rb[:]) < 0 {
		return true
	}
	return j.bySite && j.facing[strings.ToLower(a.Site)] && !j.facing[strings.ToLower(b.Site)] &&
		slices.Contains(a.Roles, exchange.ClientAccess) && slices.Contains(b.Roles, exchange.ClientAccess)
}

func (j judge) old(s exchange.Server) bool { return s.Build.IsZero() || s.Build.Minor == 0 }

// breaks says that a and b are in a tension that breaks access.
func (j judge) breaks(a, b exchange.Server) bool {
	both := func(s exchange.Server) bool {
		return slices.Contains(s.Roles, exchange.ClientAccess) && slices.Contains(s.Roles, exchange.Mailbox)
	}
	ra, rb := j.rank(a), j.rank(b)
	order := slices.Compare(ra[:], rb[:])
	return j.sameScope(a, b) && both(a) && both(b) && (j.old(a) && order >= 0 || j.old(b) && order <= 0)
}

func (j judge) todo(s exchange.Server) bool {
	return s.Arch != "x86" && !j.full[s.Name] && (s.Build.IsZero() || s.Build.Compare(j.target) < 0)
}
