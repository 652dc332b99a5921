package exchange

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is a rule that a server breaks, by the inventory's column.
type Problem struct {
	Server int // index in what was checked
	Column string
	Value  string
	Want   string
}

// CheckServers applies the rules that need more than one cell or more than one
// server: duplicates, roles that exclude each other, clusters, supported
// systems. Whoever merges an import with known servers checks the result again.
func CheckServers(servers []Server) []Problem {
	var out []Problem
	seen := map[string]bool{}
	nodes := map[string]*nodeSet{} // by node name
	sets := map[string]*nodeSet{}  // by all node names
	for i, s := range servers {
		add := func(column, value, want string) { out = append(out, Problem{i, column, value, want}) }
		if s.Name != "" && seen[s.Name] {
			add("server", s.Name, "each server once (names are compared without case)")
		}
		seen[s.Name] = true
		checkRoles(s, add)
		checkSystem(s, add)
		if checkClusterShape(s, add) {
			checkNodeSet(s, nodes, sets, add)
		}
	}
	return out
}

type problemFunc func(column, value, want string)

func roleNames(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, "+")
}

func checkRoles(s Server, add problemFunc) {
	if s.Has(EdgeTransport) && len(s.Roles) > 1 {
		add("roles", roleNames(s.Roles), "EdgeTransport alone: it cannot be installed beside another role")
	}
	if s.Cluster != Standalone && len(s.Roles) > 0 && (len(s.Roles) != 1 || !s.Has(Mailbox)) {
		add("roles", roleNames(s.Roles), "Mailbox alone: a cluster holds no other role")
	}
}

func checkSystem(s Server, add problemFunc) {
	if s.Build.IsZero() {
		return
	}
	switch {
	case s.OS == "2008" && s.Build.ServicePack() < 1:
		add("os", s.OS, "2003, or a build of SP1 or later: RTM is not supported on Windows Server 2008")
	case s.OS == "2008R2" && s.Build.ServicePack() < 3:
		add("os", s.OS, "2003 or 2008, or a build of SP3: Windows Server 2008 R2 is supported from SP3 on")
	}
}

// checkClusterShape looks at one row; only rows that pass are compared with others.
func checkClusterShape(s Server, add problemFunc) bool {
	names := nodeNames(s.Nodes)
	if s.Cluster == Standalone {
		if len(s.Nodes) > 0 {
			add("nodes", names, "empty for a server that is no cluster, or CCR or SCC in column cluster")
		}
		return false
	}
	if s.Address != "" {
		add("address", s.Address, "empty: a cluster is reached at its nodes' addresses")
	}
	switch n := len(s.Nodes); {
	case n < 2 && s.Cluster == CCR:
		add("nodes", names, "exactly two nodes for CCR")
	case n < 2:
		add("nodes", names, "two to eight nodes for SCC")
	case n != 2 && s.Cluster == CCR:
		add("nodes", names, "exactly two nodes for CCR")
	case n > 8:
		add("nodes", names, "two to eight nodes for SCC")
	default:
		return true
	}
	return false
}

// nodeSet is the nodes of a cluster as the first row told them.
type nodeSet struct {
	names   string
	first   string // the first CMS
	cluster ClusterType
	nodes   []Node
}

func checkNodeSet(s Server, nodes, sets map[string]*nodeSet, add problemFunc) {
	names := nodeNames(s.Nodes)
	if set, ok := sets[names]; ok {
		switch {
		case set.cluster != s.Cluster:
			add("cluster", string(s.Cluster), fmt.Sprintf("%s as for %s on the same nodes: a node set has one cluster type", set.cluster, set.first))
		case s.Cluster == CCR:
			add("nodes", names, fmt.Sprintf("other nodes: CCR has exactly one clustered mailbox server and %s is on these", set.first))
		case !slices.Equal(set.nodes, s.Nodes):
			add("nodes", names, fmt.Sprintf("the same addresses as for %s on the same nodes", set.first))
		}
		return
	}
	for _, n := range s.Nodes {
		if other, ok := nodes[n.Name]; ok {
			add("nodes", n.Name, fmt.Sprintf("a node of one cluster: it is a node of %s with %s already", other.first, other.names))
			return
		}
	}
	set := &nodeSet{names, s.Name, s.Cluster, s.Nodes}
	sets[names] = set
	for _, n := range s.Nodes {
		nodes[n.Name] = set
	}
}

// nodeNames joins a row's node names in order; it identifies the cluster.
func nodeNames(nodes []Node) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}

// checkLines adds the problems of whole rows to the lines. Rows whose cells
// could not be read take part only with their names.
func checkLines(lines []parsedLine) {
	servers := make([]Server, len(lines))
	for i, l := range lines {
		servers[i] = l.server
	}
	for _, p := range CheckServers(servers) {
		l := &lines[p.Server]
		if len(l.cells) == 0 || slices.ContainsFunc(l.faults, func(f LineError) bool { return f.Column == p.Column }) {
			continue
		}
		value := p.Value
		if cell, ok := l.cells[p.Column]; ok && cell != "" {
			value = cell
		}
		l.fault(p.Column, value, p.Want)
	}
}
