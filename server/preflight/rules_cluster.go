package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavekeeper/server/exchange"
)

// clusterRules are for nodes. Sources: "How to upgrade a Clustered Mailbox
// Server in a CCR Environment to Exchange 2007 SP1" (technet bb676320) as the
// founding document tells it; technet bb885043 and bb885047 for rollups.
var clusterRules = []Rule{
	{
		Name: "cluster-node", Words: "The host is a node of a cluster whose service runs", Source: "technet bb885043; topic 5ac92b11 of the Exchange help",
		Severity: Blocker, Unknown: Blocker, Cluster: OnNodes, Needs: []string{"cluster_member"},
		test: func(s Subject) verdict {
			c := s.Facts.ClusterMember.Value
			switch {
			case !c.Member:
				return blocks("The host is no node of a cluster", "", "Check the node's address.")
			case c.Service != running:
				return blocks("The cluster's service does not run", c.Service, "Start ClusSvc, and see why it stopped.")
			}
			return pass("The host is a node of "+c.Name, c.Service)
		},
	},
	{
		Name: "cluster-not-standalone", Words: "A server that counts as standalone is no node of a cluster", Source: "Setup of a node has other steps (founding document, \"MUSS über die Kommandozeile mit zusätzlichen Schritten\")",
		Severity: Blocker, Unknown: Warning, Cluster: Standalone, Needs: []string{"cluster_member"},
		test: func(s Subject) verdict {
			if c := s.Facts.ClusterMember.Value; c.Member {
				return blocks("The host is a node of the cluster "+c.Name+", and the inventory has it as a standalone server", c.Service, "Correct the inventory: a cluster has a runbook of its own.")
			}
			return pass("The host is no node of a cluster", "")
		},
	},
	{
		Name: "cluster-as-listed", Words: "The cluster has the kind, the nodes and the servers of the inventory", Source: "inventory; Get-ClusteredMailboxServerStatus (technet aa998632)",
		Severity: Blocker, Unknown: Blocker, Cluster: OnNodes, Needs: []string{"cluster"}, test: ruleClusterListed,
	},
	{
		Name: "cluster-only-mailbox", Words: "A node holds the Mailbox role alone", Source: "technet bb232170; Setup's rule ClusSvcInstalledRoleBlock (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Blocker, Cluster: OnNodes, Needs: []string{"roles"},
		test: func(s Subject) verdict {
			for _, r := range exchange.Roles() {
				if _, ok := s.Facts.Roles.Value[string(r)]; ok && r != exchange.Mailbox {
					return blocks(fmt.Sprintf("The node holds the role %s, which cannot be on a cluster", r), list(sortedRoles(s.Facts.Roles.Value)), "Find out how it came there.")
				}
			}
			return pass("The node holds the Mailbox role alone", list(sortedRoles(s.Facts.Roles.Value)))
		},
	},
	{
		Name: "cluster-passive", Words: "The node owns no clustered mailbox server", Source: "founding document (\"passiver Knoten\"); technet bb885043 (only on passive nodes)",
		Severity: Blocker, Unknown: Blocker, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			var owned []string
			for _, c := range s.Facts.Cluster.Value.CMS {
				if sameHost(c.Owner, s.Node) {
					owned = append(owned, c.Name)
				}
			}
			switch {
			case len(owned) > 0 && s.Ahead:
				return notes("The node is active now: it owns "+list(owned), s.Node, "The runbook begins with a passive node; this is proven when the node's turn comes.")
			case len(owned) > 0:
				return blocks("The node is active: it owns "+list(owned), s.Node, "Begin with the other node. Nothing is installed on an active one.")
			}
			return pass("The node is passive", s.Node)
		},
	},
	{
		Name: "cluster-groups", Words: "The node owns no cluster group", Source: "founding document (\"Eventuell vorhandene Clusterressourcen verschieben\"); technet bb885043 (the rollup stops the cluster's service)",
		Severity: Warning, Unknown: Warning, Waivable: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			var owned []string
			for _, g := range s.Facts.Cluster.Value.Groups {
				if sameHost(g.Owner, s.Node) {
					owned = append(owned, g.Name)
				}
			}
			if len(owned) > 0 && s.Ahead {
				return notes("The node owns cluster groups: "+list(owned), s.Node, "The runbook moves them to another node before Setup.")
			}
			if len(owned) > 0 {
				return warns("The node owns cluster groups: "+list(owned), s.Node, "The runbook moves them to another node before Setup.")
			}
			return pass("The node owns no cluster group", s.Node)
		},
	},
	{
		Name: "cluster-nodes-up", Words: "Every node of the cluster is up", Source: "topic 5ac92b11 of the Exchange help (a move wants a healthy passive node)",
		Severity: Blocker, Unknown: Blocker, Begin: true, Waivable: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			var down []string
			for _, n := range s.Facts.Cluster.Value.Nodes {
				if !strings.EqualFold(n.State, "Up") {
					down = append(down, n.Name+" "+n.State)
				}
			}
			if len(down) > 0 {
				return blocks("Nodes of the cluster are not up: "+list(down), "", "Bring them up first: there would be nowhere to fail over to.")
			}
			return pass("Every node is up", count(len(s.Facts.Cluster.Value.Nodes), "node", "nodes"))
		},
	},
	{
		Name: "cluster-online", Words: "Every clustered mailbox server is online", Source: "technet aa998632 (Get-ClusteredMailboxServerStatus)",
		Severity: Blocker, Unknown: Blocker, Begin: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			var down []string
			for _, c := range s.Facts.Cluster.Value.CMS {
				if !strings.EqualFold(c.State, "Online") {
					down = append(down, c.Name+" "+c.State)
				}
			}
			if len(down) > 0 {
				return blocks("Clustered mailbox servers are not online: "+list(down), "", "Cure that first.")
			}
			return pass("Every clustered mailbox server is online", count(len(s.Facts.Cluster.Value.CMS), "server", "servers"))
		},
	},
	{
		Name: "cluster-copies", Words: "Every copy is healthy", Source: "topic 5ac92b11 of the Exchange help; Get-StorageGroupCopyStatus",
		Severity: Blocker, Unknown: Blocker, Begin: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			if s.Server.Cluster != exchange.CCR {
				return pass("The cluster shares its storage: there are no copies", "")
			}
			var bad []string
			for _, c := range s.Facts.Cluster.Value.Copies {
				if !strings.EqualFold(c.Status, "Healthy") {
					bad = append(bad, fmt.Sprintf("%s of %s is %s", c.Group, c.CMS, c.Status))
				}
			}
			switch {
			case len(bad) > 0:
				return blocks("Copies are not healthy: "+list(bad), "", "Resume or reseed them first.")
			case len(s.Facts.Cluster.Value.Copies) == 0:
				return blocks("The cluster has no copy, which CCR cannot be without", "", "See whether the replication service runs.")
			}
			return pass("Every copy is healthy", count(len(s.Facts.Cluster.Value.Copies), "copy", "copies"))
		},
	},
	{
		Name: "cluster-copy-queues", Words: "Few logs wait to be copied and replayed", Source: "technet fa053f04 (the hand-off takes as long as copying and replaying logs); policy values",
		Severity: Blocker, Unknown: Blocker, Begin: true, Waivable: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster"},
		test: func(s Subject) verdict {
			var bad []string
			for _, c := range s.Facts.Cluster.Value.Copies {
				if c.CopyQueue > s.Policy.Of(CopyQueue) || c.ReplayQueue > s.Policy.Of(ReplayQueue) {
					bad = append(bad, fmt.Sprintf("%s of %s: %d to copy, %d to replay", c.Group, c.CMS, c.CopyQueue, c.ReplayQueue))
				}
			}
			if len(bad) > 0 {
				return blocks("Many logs wait to be copied or replayed: "+list(bad), fmt.Sprintf("allowed are %d and %d", s.Policy.Of(CopyQueue), s.Policy.Of(ReplayQueue)), "Wait until the copies caught up, or find out why they do not.")
			}
			return pass("Few logs wait", count(len(s.Facts.Cluster.Value.Copies), "copy", "copies"))
		},
	},
	{
		Name: "cluster-witness", Words: "The host of the file share witness is not being upgraded", Source: "the project's design; a CCR cluster of two nodes loses its majority with node and witness",
		Severity: Blocker, Unknown: Blocker, Begin: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster", FleetFact},
		test: func(s Subject) verdict {
			host := witnessHost(s)
			if host != "" && slices.ContainsFunc(s.Fleet.InWork, func(name string) bool { return sameHost(name, host) }) {
				return blocks("The host of the file share witness is being upgraded: "+host, s.Facts.Cluster.Value.Witness, "Wait until that upgrade is done.")
			}
			return pass("The host of the file share witness is not being upgraded", orNone(s.Facts.Cluster.Value.Witness))
		},
	},
	{
		Name: "cluster-witness-listed", Words: "The host of the file share witness is known by the name that the cluster uses",
		Source:   "Exchange team blog, \"New File Share Witness and Force Quorum Guidance for Exchange 2007 Clusters\" (the documentation of RTM and SP1 recommends an alias, a CNAME, for the witness)",
		Severity: Warning, Unknown: Info, Waivable: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, Needs: []string{"cluster", FleetFact}, test: ruleWitnessListed,
	},
	{
		Name: "cluster-one-level", Words: "Every node that is not upgraded yet is at one build", Source: "technet bb885047 (all nodes at one level)",
		Severity: Blocker, Unknown: Warning, Begin: true, Waivable: true, Cluster: OnNodes, Kinds: []string{ServicePack, Rollup}, test: ruleOneLevel,
	},
	{
		Name: "cluster-cms-upgraded", Words: "No clustered mailbox server is older than the node that owns it", Source: "siliconexus.com 2010-08 (/UpgradeCms forgotten before the second node: the store does not start)",
		Severity: Blocker, Unknown: Warning, Cluster: OnNodes, Kinds: []string{ServicePack}, Needs: []string{"cluster"}, test: ruleCMSUpgraded,
	},
}

func ruleClusterListed(s Subject) verdict {
	c := s.Facts.Cluster.Value
	var odd []string
	if c.Kind != string(s.Server.Cluster) {
		odd = append(odd, fmt.Sprintf("it is %s, the inventory says %s", orNone(c.Kind), s.Server.Cluster))
	}
	var listed, cms, nodes, there []string
	for _, n := range s.Server.Nodes {
		listed = append(listed, strings.ToUpper(n.Name))
	}
	for _, n := range c.Nodes {
		nodes = append(nodes, strings.ToUpper(n.Name))
	}
	for _, one := range c.CMS {
		there = append(there, strings.ToUpper(one.Name))
	}
	servers := s.Servers
	if len(servers) == 0 {
		servers = []exchange.Server{s.Server}
	}
	for _, one := range servers {
		cms = append(cms, strings.ToUpper(one.Name))
	}
	for _, pair := range []struct {
		what         string
		have, listed []string
	}{{"nodes", nodes, listed}, {"clustered mailbox servers", there, cms}} {
		slices.Sort(pair.have)
		slices.Sort(pair.listed)
		if !slices.Equal(pair.have, pair.listed) {
			odd = append(odd, fmt.Sprintf("its %s are %s, the inventory has %s", pair.what, orNone(list(pair.have)), orNone(list(pair.listed))))
		}
	}
	if len(odd) > 0 {
		return blocks("The cluster is not what the inventory says: "+strings.Join(odd, "; "), c.Name, "Correct the inventory and plan again.")
	}
	return pass("The cluster is what the inventory says", fmt.Sprintf("%s, %s", c.Name, c.Kind))
}

func ruleOneLevel(s Subject) verdict {
	if len(s.Nodes) < len(s.Server.Nodes) || len(s.Nodes) == 0 {
		return unread("The builds of all nodes are not known", fmt.Sprintf("known of %d of %d", len(s.Nodes), len(s.Server.Nodes)), "Have the facts of every node be read.")
	}
	var said []string
	behind := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		b := s.Nodes[name]
		said = append(said, name+" "+orNone(b.String()))
		if !b.AtLeast(s.Package.Target) {
			behind[b.String()] = true
		}
	}
	if len(behind) > 1 {
		return blocks("The nodes are not at one build: "+list(said), "", "Bring them to one build first: a cluster of two builds is not supported.")
	}
	return pass("The nodes that are not upgraded yet are at one build", list(said))
}

// ruleCMSUpgraded: the pitfall of a cluster that was upgraded by halves. The cure
// is /UpgradeCms on the node that owns it, never the other node.
func ruleCMSUpgraded(s Subject) verdict {
	var forgotten, said []string
	for _, c := range s.Facts.Cluster.Value.CMS {
		build, err := exchange.ParseBuild(c.Build)
		if err != nil || build.IsZero() {
			return unread("The build of "+c.Name+" is not known", c.Build, "Have the cluster be looked at again.")
		}
		said = append(said, c.Name+" "+build.String())
		at := s.buildOf(c.Owner)
		if at.IsZero() {
			return unread("The build of the node that owns "+c.Name+" is not known", c.Owner, "Have the facts of every node be read.")
		}
		if at.ServicePack() > build.ServicePack() {
			forgotten = append(forgotten, fmt.Sprintf("%s is at %s, its node %s at %s", c.Name, build.Words(), c.Owner, at.Words()))
		}
	}
	if len(forgotten) > 0 {
		return blocks("/UpgradeCms was forgotten or did not end: "+list(forgotten), list(said), "Run Setup.com /UpgradeCms on the node that owns it, before any other node is touched.")
	}
	return pass("No clustered mailbox server is older than its node", list(said))
}

// buildOf is the build of a node by any of its names; zero = not known.
func (s Subject) buildOf(node string) exchange.Build {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if sameHost(name, node) {
			return s.Nodes[name]
		}
	}
	return exchange.Build{}
}

// witnessHost is the host of the file share witness as the cluster names it: HUB01
// of \\HUB01\share; "" where there is none.
func witnessHost(s Subject) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.Facts.Cluster.Value.Witness, `\\`), `\`)
	return host
}

// ruleWitnessListed: names are all that is compared when a witness's host is kept
// out of work, so that one under an alias would not be.
func ruleWitnessListed(s Subject) verdict {
	host := witnessHost(s)
	switch {
	case host == "":
		return pass("The cluster has no file share witness", "")
	case slices.ContainsFunc(s.Fleet.Hosts, func(name string) bool { return sameHost(name, host) }):
		return pass("The host of the file share witness is known by this name", s.Facts.Cluster.Value.Witness)
	}
	return warns("The host of the file share witness, "+host+", is none of the known hosts by name: should it be one of them under an alias (CNAME), nothing keeps both from being upgraded at once",
		s.Facts.Cluster.Value.Witness, "Find out which machine "+host+" is. Where it is one of the known hosts, plan its server and this cluster into different waves; another machine needs nothing.")
}
