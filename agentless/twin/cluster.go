package twin

import (
	"slices"
	"strings"
	"sync"
	"time"

	"wavekeeper/server/exchange"
)

// cluster is what the nodes of one Windows cluster share. Its lock is taken last:
// under a host's or with none, never before one.
type cluster struct {
	fleet *Fleet
	hosts []*host

	mu        sync.Mutex
	s         clusterState
	suspended map[string]bool // nodes whose copies were suspended when somebody asked last
}

// clusterState outlives the program, as the hosts' states do.
type clusterState struct {
	Name, Kind, Witness string
	Nodes               []*clusterNode
	Groups              []*clusterGroup
	Servers             []*clusteredServer
}

// clusterNode is a node as the cluster sees it.
type clusterNode struct {
	Name    string
	Up      bool
	Joining bool           `json:",omitempty"`
	Level   exchange.Build // of its Mailbox role, as configured
	Restart bool           `json:",omitempty"` // upgraded, and not started anew since
}

// clusterGroup is a resource group that is not a clustered mailbox server's.
type clusterGroup struct {
	Name, Owner string
	Quorum      bool `json:",omitempty"`
}

// States of a clustered mailbox server (technet aa998632).
const (
	cmsOnline         = "Online"
	cmsPartial        = "PartiallyOnline"
	cmsOnlinePending  = "OnlinePending"
	cmsOffline        = "Offline"
	cmsOfflinePending = "OfflinePending"
	cmsFailed         = "Failed"
)

// clusteredServer is a clustered mailbox server and its group, which bears its
// name.
type clusteredServer struct {
	Name, Owner, State string
	Build              exchange.Build // in Active Directory; Setup /UpgradeCms raises it
	Stopped            bool           `json:",omitempty"` // by Stop-ClusteredMailboxServer: no restart brings it back
	Backup             bool           `json:",omitempty"` // one runs
	Begins, Ready      time.Time      // of its copies: from when they are not initializing, from when their queues are empty
	Turn               int            `json:",omitempty"` // counts changes, so that what was begun before one is dropped
}

// How long things of a cluster last at speed 1 [K].
const (
	joinLasts    = 45 * time.Second  // after the start of Windows until the node is Up
	stopLasts    = 90 * time.Second  // Stop-ClusteredMailboxServer
	startLasts   = 75 * time.Second  // until the databases are mounted
	handOffLasts = 60 * time.Second  // Move-ClusteredMailboxServer
	initLasts    = 60 * time.Second  // copies after a start of the replication service
	catchUpLasts = 240 * time.Second // until their queues are empty
)

// storageGroups are the copies that each server of a CCR has.
var storageGroups = []string{"First Storage Group", "Second Storage Group"}

// join makes the clusters out of the hosts, after all of them exist.
func (f *Fleet) join() error {
	byKey := map[string]*cluster{}
	for _, h := range f.hosts {
		row := h.row()
		if row.Cluster == exchange.Standalone {
			continue
		}
		var names []string
		for _, n := range row.Nodes {
			names = append(names, strings.ToUpper(n.Name))
		}
		slices.Sort(names)
		key := strings.Join(names, ",")
		if byKey[key] == nil {
			byKey[key] = &cluster{fleet: f}
			f.clusters = append(f.clusters, byKey[key])
		}
		h.cluster = byKey[key]
		byKey[key].hosts = append(byKey[key].hosts, h)
	}
	for _, c := range f.clusters {
		fresh, err := c.load()
		if err != nil {
			return err
		}
		if fresh {
			c.fresh()
		}
		for _, h := range c.hosts {
			if fresh {
				h.freshNode()
			}
			h.noteLevels()
		}
		if err := c.save(); err != nil {
			return err
		}
	}
	return nil
}

// fresh is a healthy cluster: the servers on the first nodes, all other groups on
// the last one, which is passive.
func (c *cluster) fresh() {
	rows := slices.Clone(c.hosts[0].rows)
	slices.SortFunc(rows, func(a, b exchange.Server) int { return strings.Compare(a.Name, b.Name) })
	c.s = clusterState{Name: short(rows[0].Name + "CL"), Kind: string(rows[0].Cluster)}
	for _, h := range c.hosts {
		c.s.Nodes = append(c.s.Nodes, &clusterNode{Name: h.name, Up: true, Level: h.version("MailboxRole", "ConfiguredVersion")})
	}
	last := c.s.Nodes[len(c.s.Nodes)-1].Name
	if _, first := c.traitOf(last, "groups-first"); first {
		last = c.s.Nodes[0].Name
	}
	c.s.Groups = []*clusterGroup{{Name: c.hosts[0].platform.text("Cluster Group"), Owner: last, Quorum: true}}
	if rows[0].Cluster == exchange.SCC {
		c.s.Groups = append(c.s.Groups, &clusterGroup{Name: "MSDTC", Owner: last})
	}
	for i, row := range rows {
		build := row.Build
		if build.IsZero() {
			build = rtm
		}
		owner := c.s.Nodes[i%len(c.s.Nodes)].Name
		cms := &clusteredServer{Name: row.Name, Owner: owner, State: cmsOnline, Build: build}
		if _, off := c.traitOf(owner, "cms-offline"); off {
			cms.State = cmsOffline
		}
		c.s.Servers = append(c.s.Servers, cms)
	}
	if rows[0].Cluster == exchange.CCR {
		c.s.Witness = `\\` + c.witnessHost(rows[0].Site) + `\MNS_FSW_` + c.s.Name
	}
}

func short(name string) string {
	if len(name) > 15 {
		return name[:13] + "CL"
	}
	return name
}

// witnessHost is the Hub Transport server of the site, where Microsoft has the
// file share witness be (technet bb676490).
func (c *cluster) witnessHost(site string) string {
	for _, h := range c.fleet.hosts {
		if row := h.row(); row.Cluster == exchange.Standalone && row.Has(exchange.HubTransport) && strings.EqualFold(row.Site, site) {
			return row.Name
		}
	}
	return "FILE01"
}

// freshNode is what a node has that another server has not: the Cluster service,
// and services that the cluster starts and stops, not the service control manager.
func (h *host) freshNode() {
	if h.service(clusterService) == nil {
		h.addService(&service{
			Name: clusterService, Display: "Cluster Service", Path: h.platform.windows + `\Cluster\clussvc.exe`, Account: h.fleet.opt.RunAs,
			StartMode: automatic, DependsOn: []string{"RpcSs"},
		})
	}
	h.regPut(`HKLM\Cluster`, text("ClusterName", h.cluster.s.Name))
	active := h.cluster.serverOn(h.name)
	for _, name := range clusterManaged {
		if s := h.service(name); s != nil {
			s.StartMode = manual
			if active == "" {
				s.State, s.PID = stopped, 0
			}
		}
	}
	if active != "" {
		key := exchangeRoot + `\` + exchange.ClusteredMailboxKey
		h.regPut(key, text("UnpackedVersion", h.build().String()))
		h.regPut(key, text("ConfiguredVersion", h.build().String()))
	}
}

// clusterManaged are services that are cluster resources on a node, or need one:
// they run where the server is online, and nobody else starts or stops them
// (exchhelp fa053f04).
var clusterManaged = []string{"MSExchangeSearch", "MSExchangeIS", "MSExchangeSA"}

// clusterService is the Cluster service's short name.
const clusterService = "ClusSvc"

// touched is a service that the service control manager is told to start or stop:
// on a node what belongs to the cluster is nobody's else.
func (h *host) touched(s *service) {
	if h.cluster != nil && slices.ContainsFunc(clusterManaged, func(n string) bool { return strings.EqualFold(n, s.Name) }) {
		h.happened("violation", map[string]any{"rule": "cluster-resource-by-scm", "service": s.Name})
	}
}

// ClusterServer is where a clustered mailbox server of the fleet is and how.
type ClusterServer struct {
	Owner, State, Build string
	Backup              bool
}

// Clusters says of every clustered mailbox server where it is.
func (f *Fleet) Clusters() map[string]ClusterServer {
	out := map[string]ClusterServer{}
	for _, c := range f.clusters {
		c.look(func(s *clusterState) {
			for _, cms := range s.Servers {
				out[cms.Name] = ClusterServer{cms.Owner, cms.State, cms.Build.String(), cms.Backup}
			}
		})
	}
	return out
}

// NodesUp counts the nodes of all clusters that are up.
func (f *Fleet) NodesUp() int {
	up := 0
	for _, c := range f.clusters {
		c.look(func(s *clusterState) {
			for _, n := range s.Nodes {
				if n.Up {
					up++
				}
			}
		})
	}
	return up
}

// Backup begins a backup of a clustered mailbox server's storage groups.
func (f *Fleet) Backup(server string) {
	for _, c := range f.clusters {
		c.change(func(s *clusterState) {
			if cms := s.server(server); cms != nil {
				cms.Backup = true
			}
		})
	}
}

// MoveServer is a person who moves a clustered mailbox server to a node.
func (f *Fleet) MoveServer(server, node string) {
	for _, c := range f.clusters {
		c.change(func(s *clusterState) {
			if cms := s.server(server); cms != nil && cms.Owner != node {
				c.offline(cms, cmsOffline, "moved by hand")
				c.place(cms, node)
				c.online(s, cms, startLasts)
			}
		})
	}
}

// serverOn names the clustered mailbox server that a node owns, "" when it is
// passive.
func (c *cluster) serverOn(node string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.s.Servers {
		if s.Owner == node {
			return s.Name
		}
	}
	return ""
}

// owns lists every group that a node owns.
func (c *cluster) owns(node string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, s := range c.s.Servers {
		if s.Owner == node {
			out = append(out, s.Name)
		}
	}
	for _, g := range c.s.Groups {
		if g.Owner == node {
			out = append(out, g.Name)
		}
	}
	return out
}
