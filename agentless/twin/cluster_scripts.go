package twin

import (
	"fmt"
	"strings"
	"time"
)

// HRESULTs and types that cluster-look and cluster-act meet. Those of Exchange's
// cmdlets are not known: only that they fail is used [K].
const (
	hrClusterDown     = "8007046A" // RPC_S_... of a Cluster service that does not run [K]
	hrNoRegister      = "80131509"
	taskException     = "Microsoft.Exchange.Configuration.Tasks.TaskException"
	hrApplication     = "80131600"
	hrSnapinException = "80131501"
)

// exchangeCmdlet reports why no cmdlet of Exchange works for a call, or "".
func (c *call) exchangeCmdlet() string {
	if !c.s.who.ad || c.s.via != "task" {
		return "System.DirectoryServices.DirectoryServicesCOMException 80072020"
	}
	return ""
}

// scriptClusterLook looks at the cluster through a node.
func scriptClusterLook(r *records, args []string) int {
	h := r.c.s.h
	c := h.cluster
	type record struct{ name, value string }
	var out []record
	put := func(name, format string, a ...any) { out = append(out, record{name, fmt.Sprintf(format, a...)}) }
	up := false
	if c != nil {
		c.askCopies()
		c.look(func(s *clusterState) { up = s.node(h.name).Up })
	}
	if !up {
		put("failed", "cluster|%s %s", comException, hrClusterDown)
	} else {
		c.look(func(s *clusterState) { c.putCluster(s, put) })
	}
	no := r.c.exchangeCmdlet()
	for _, name := range strings.Split(argument(args, 0), ",") {
		state, build, machines := "", "", ""
		var cms *clusteredServer
		if c != nil {
			c.look(func(s *clusterState) { cms = s.server(name) })
		}
		switch {
		case no != "":
			put("failed", "cms|%s", no)
			put("failed", "build|%s", no)
		case cms == nil || !up:
			put("failed", "cms|%s %s", taskException, hrApplication)
			put("failed", "build|%s %s", taskException, hrApplication)
		default:
			c.look(func(s *clusterState) {
				state = cms.State
				build = fmt.Sprintf("%d.%d.%d.%d", cms.Build.Major, cms.Build.Minor, cms.Build.Build, cms.Build.Revision)
				var all []string
				for _, n := range s.Nodes {
					if n.Up {
						all = append(all, n.Name+map[bool]string{true: " <" + h.platform.text("Active") + ">"}[n.Name == cms.Owner])
					}
				}
				machines = strings.Join(all, ",")
			})
		}
		put("cms", "%s|%s|%s|%s", state, build, machines, name)
		if argument(args, 1) != "1" {
			continue
		}
		if state == "" {
			put("failed", "copies|%s %s", taskException, hrApplication)
			continue
		}
		c.look(func(s *clusterState) {
			status, queue, replay := c.copyOf(s, cms)
			for _, group := range storageGroups {
				put("copy", "%s|%s|%d|%d|%s", cms.Name, status, queue, replay, h.platform.text(group))
			}
		})
	}
	for _, one := range out {
		r.put(one.name, one.value)
	}
	return 0
}

// putCluster is what the cluster automation server says.
func (c *cluster) putCluster(s *clusterState, put func(string, string, ...any)) {
	put("cluster", "%s", s.Name)
	var names []string
	for _, n := range s.Nodes {
		state := 1
		switch {
		case n.Up:
			state = 0
		case n.Joining:
			state = 3
		}
		put("node", "%d|%s", state, n.Name)
		names = append(names, n.Name)
	}
	for _, g := range s.Groups {
		quorum, state := 0, 0
		if g.Quorum {
			quorum = 1
			if s.Witness != "" {
				put("witness", "%s", s.Witness)
			}
		}
		if owner := s.node(g.Owner); owner == nil || !owner.Up {
			state = 1
		}
		put("group", "%s|%d|%d|%s", g.Owner, state, quorum, g.Name)
	}
	states := map[string]int{cmsOnline: 0, cmsOffline: 1, cmsFailed: 2, cmsPartial: 3, cmsOnlinePending: 4, cmsOfflinePending: 4}
	for _, cms := range s.Servers {
		put("group", "%s|%d|0|%s", cms.Owner, states[cms.State], cms.Name)
		put("network", "%s|%s|%s", strings.Join(names, ","), cms.Name, cms.Name)
	}
}

// scriptClusterAct does one thing with the cluster.
func scriptClusterAct(r *records, args []string) int {
	h := r.c.s.h
	c := h.cluster
	verb, name, node, reason := argument(args, 0), argument(args, 1), argument(args, 2), argument(args, 3)
	refuse := func(words, kind, hr string) int { // the words stay on the host: people's language
		h.update(func() { h.happened("cluster-act-refused", map[string]any{"verb": verb, "name": name, "why": words}) })
		return r.fail(kind, hr)
	}
	if c == nil {
		return refuse("The cluster service is not running.", comException, hrClusterDown)
	}
	c.askCopies()
	up := false
	c.look(func(s *clusterState) { up = s.node(h.name).Up })
	if !up {
		return refuse("The cluster service is not running.", comException, hrClusterDown)
	}
	words := ""
	if verb == "move-group" {
		words = c.moveGroup(name, node)
		if words != "" {
			return refuse(words, comException, hrNoRegister)
		}
		r.put("state", "done")
		return 0
	}
	if no := r.c.exchangeCmdlet(); no != "" {
		kind, hr, _ := strings.Cut(no, " ")
		return refuse(adMessage, kind, hr)
	}
	switch verb {
	case "stop-cms":
		words = c.stopServer(r.c, name, reason)
	case "move-cms":
		if words = c.handOffRefused(node); words == "" {
			words = c.moveServer(r.c, name, node, reason)
		}
	case "start-cms":
		words = c.startServer(r.c, name)
	default:
		return 0
	}
	if words != "" {
		return refuse(words, taskException, hrApplication)
	}
	r.put("state", "done")
	return 0
}

// moveGroup moves a group that is no server's.
func (c *cluster) moveGroup(name, node string) (words string) {
	words = "The group could not be found."
	c.change(func(s *clusterState) {
		if s.server(name) != nil {
			words = "The group holds a resource of Exchange."
		}
		n := s.node(node)
		for _, g := range s.Groups {
			switch {
			case !strings.EqualFold(g.Name, name):
			case n == nil || !n.Up:
				words = "The cluster node is down."
			default:
				words = ""
				if g.Owner != n.Name {
					c.happened(n.Name, "group-moved", map[string]any{"group": g.Name, "from": g.Owner, "to": n.Name})
					g.Owner = n.Name
				}
			}
		}
	})
	return words
}

// known finds the server for a cmdlet that runs on a node: one of an older build
// refuses a newer server [K].
func (c *cluster) known(s *clusterState, caller *call, name string) (*clusteredServer, string) {
	cms, n := s.server(name), s.node(caller.s.h.name)
	switch {
	case cms == nil:
		return nil, "The clustered mailbox server could not be found."
	case n.Level.Minor < cms.Build.Minor:
		c.happened(n.Name, "violation", map[string]any{"rule": "cmdlet-of-an-old-node", "cms": cms.Name})
		return nil, "The version of the clustered mailbox server is newer than that of the management tools."
	}
	return cms, ""
}

// stopServer is Stop-ClusteredMailboxServer; it comes back when the server is
// offline.
func (c *cluster) stopServer(caller *call, name, reason string) (words string) {
	turn := 0
	c.change(func(s *clusterState) {
		var cms *clusteredServer
		if cms, words = c.known(s, caller, name); words != "" {
			return
		}
		c.happened(cms.Name, "stop-cms", map[string]any{"on": caller.s.h.name, "reason": reason})
		if cms.State == cmsOffline && cms.Stopped {
			return
		}
		c.offline(cms, cmsOfflinePending, "stopped")
		cms.Stopped = true
		turn = cms.Turn
		c.later(cms.Name, turn, stopLasts, func(_ *clusterState, cms *clusteredServer) { cms.State = cmsOffline })
	})
	if words == "" && turn > 0 {
		c.await(caller, name, func(state string) bool { return state != cmsOfflinePending })
	}
	return words
}

// moveServer is Move-ClusteredMailboxServer: it asks for the passive node's and
// the copies' health and does nothing where they are wrong (exchhelp 5ac92b11,
// d13d8ae3).
func (c *cluster) moveServer(caller *call, name, node, comment string) (words string) {
	turn := 0
	c.change(func(s *clusterState) {
		var cms *clusteredServer
		if cms, words = c.known(s, caller, name); words != "" {
			return
		}
		c.happened(cms.Name, "move-cms", map[string]any{"on": caller.s.h.name, "to": node, "comment": comment})
		to := s.node(node)
		switch {
		case to == nil || !to.Up:
			words = "The target computer is not available."
		case cms.Owner == to.Name:
			return
		case !c.free(s, to.Name):
			words = "The target computer is running another clustered mailbox server."
		case older(to.Level, cms.Build) && to.Level.Minor < cms.Build.Minor:
			words = "The target computer has an older version of Exchange."
		case s.Kind == "CCR":
			if status, _, _ := c.copyOf(s, cms); status != "Healthy" {
				words = "The passive node is not in an acceptable state for a handoff: copies are " + status + "."
			}
		}
		if words == "" && c.refusesMove(to.Name) {
			words = "The passive node is not in an acceptable state for a handoff."
		}
		if words != "" {
			return
		}
		was := cms.State
		c.offline(cms, cmsOfflinePending, "moved")
		turn = cms.Turn
		c.later(cms.Name, turn, handOffLasts, func(s *clusterState, cms *clusteredServer) {
			c.place(cms, to.Name)
			cms.State = cmsOffline
			if was == cmsOnline || was == cmsPartial {
				c.online(s, cms, startLasts)
			}
		})
	})
	if words == "" && turn > 0 {
		c.await(caller, name, func(state string) bool { return state != cmsOfflinePending && state != cmsOnlinePending })
	}
	return words
}

// refusesMove asks for the declared trait of a node.
func (c *cluster) refusesMove(node string) bool {
	for _, h := range c.hosts {
		if h.name == node && h.hasTrait("cms-move-refused") {
			return true
		}
	}
	return false
}

// startServer is Start-ClusteredMailboxServer.
func (c *cluster) startServer(caller *call, name string) (words string) {
	c.change(func(s *clusterState) {
		var cms *clusteredServer
		if cms, words = c.known(s, caller, name); words != "" {
			return
		}
		c.happened(cms.Name, "start-cms", map[string]any{"on": caller.s.h.name})
		if n := s.node(cms.Owner); n == nil || !n.Up {
			words = "The node that owns the clustered mailbox server is not available."
			return
		}
		if cms.State != cmsOnline && cms.State != cmsOnlinePending {
			c.online(s, cms, startLasts)
		}
	})
	if words != "" {
		return words
	}
	if state := c.await(caller, name, func(state string) bool { return state != cmsOnlinePending }); state == cmsFailed {
		return "One or more resources of the clustered mailbox server did not come online."
	}
	return ""
}

// await waits for a state; it ends with the caller's program.
func (c *cluster) await(caller *call, name string, done func(string) bool) string {
	for {
		state := ""
		c.look(func(s *clusterState) { state = s.server(name).State })
		if done(state) || !sleep(caller.s.ctx, min(c.lasts(time.Second), 20*time.Millisecond)+time.Millisecond) {
			return state
		}
	}
}
