package twin

import (
	"strings"
	"time"

	"wavekeeper/server/exchange"
)

// fits reports whether the store of a server starts on a node: both at one
// service pack. With both nodes new and the server old it does not, nor with a
// new server on an old node (siliconexus, 2010: "Exchange will not start because
// the versions are mismatched").
func fits(cms *clusteredServer, n *clusterNode) bool {
	return n != nil && cms.Build.Major == n.Level.Major && cms.Build.Minor == n.Level.Minor
}

// online brings a server up where it is, as far as it can come.
func (c *cluster) online(s *clusterState, cms *clusteredServer, after time.Duration) {
	cms.Turn++
	cms.Stopped = false
	cms.State = cmsOnlinePending
	c.later(cms.Name, cms.Turn, after, func(s *clusterState, cms *clusteredServer) {
		n := s.node(cms.Owner)
		switch {
		case n == nil || !n.Up:
			cms.State = cmsFailed
		case !fits(cms, n):
			cms.State = cmsFailed
			c.happened(cms.Name, "store-did-not-start", map[string]any{"node": cms.Owner, "cms": cms.Build.String(), "level": n.Level.String()})
		default:
			cms.State = cmsOnline
			c.happened(cms.Name, "cms-online", map[string]any{"node": cms.Owner})
		}
	})
}

// offline says that a server does not serve any more.
func (c *cluster) offline(cms *clusteredServer, state, why string) {
	if cms.State == cmsOnline || cms.State == cmsPartial {
		c.happened(cms.Name, "cms-offline", map[string]any{"node": cms.Owner, "why": why})
	}
	cms.Turn++
	cms.State = state
}

// place puts a server's group on a node. A backup of its storage groups ends
// (exchhelp 5ac92b11), and its copies begin anew the other way round.
func (c *cluster) place(cms *clusteredServer, node string) {
	if cms.Owner == node {
		return
	}
	c.happened(cms.Name, "cms-moved", map[string]any{"from": cms.Owner, "to": node})
	cms.Owner = node
	if cms.Backup {
		cms.Backup = false
		c.happened(cms.Name, "backup-cancelled", nil)
	}
	c.copiesBegin(cms)
}

func (c *cluster) copiesBegin(cms *clusteredServer) {
	now := time.Now()
	cms.Begins, cms.Ready = now.Add(c.lasts(initLasts)), now.Add(c.lasts(catchUpLasts))
}

// target is where a group goes when its node leaves: the first node by name that
// is up, for a server one without another; "" when there is none.
func (c *cluster) target(s *clusterState, from string, cms *clusteredServer) string {
	for _, n := range s.Nodes {
		busy := false
		for _, other := range s.Servers {
			busy = busy || cms != nil && other != cms && other.Owner == n.Name
		}
		if n.Name != from && n.Up && !busy {
			return n.Name
		}
	}
	return ""
}

// leave is a node that goes down, or whose Cluster service stops: its groups go
// to another node or stay where they are, offline. A server that was stopped by
// Stop-ClusteredMailboxServer stays stopped (technet bb124258).
func (h *host) leave() {
	c := h.cluster
	if c == nil {
		return
	}
	c.change(func(s *clusterState) {
		n := s.node(h.name)
		if n == nil || !n.Up && !n.Joining {
			return
		}
		n.Up, n.Joining = false, false
		for _, g := range s.Groups {
			if to := c.target(s, h.name, nil); g.Owner == h.name && to != "" {
				g.Owner = to
			}
		}
		for _, cms := range s.Servers {
			if cms.Owner != h.name {
				c.copiesBegin(cms)
				continue
			}
			served := !cms.Stopped && cms.State != cmsFailed
			c.offline(cms, cmsOffline, "node down")
			to := c.target(s, h.name, cms)
			if to != "" {
				c.place(cms, to)
			}
			switch {
			case !served && !cms.Stopped:
				cms.State = cmsFailed
			case served && to != "":
				c.online(s, cms, startLasts)
			case served:
				cms.State = cmsFailed
			}
		}
	})
}

// enter is a node whose Cluster service starts: it is Up some time later. A
// server that failed since it had no node comes back.
func (h *host) enter() {
	c := h.cluster
	if c == nil {
		return
	}
	boot := h.boot
	c.change(func(s *clusterState) { s.node(h.name).Joining = true })
	c.fleet.goRun(func() {
		if !sleep(boot, h.lasts(joinLasts)) {
			return
		}
		c.change(func(s *clusterState) {
			n := s.node(h.name)
			if !n.Joining {
				return
			}
			n.Joining, n.Up = false, true
			for _, g := range s.Groups {
				if owner := s.node(g.Owner); owner == nil || !owner.Up {
					g.Owner = n.Name
				}
			}
			for _, cms := range s.Servers {
				if cms.Owner != n.Name {
					c.copiesBegin(cms)
				}
				owner := s.node(cms.Owner)
				switch {
				case cms.State != cmsFailed || cms.Stopped:
				case cms.Owner == n.Name:
					c.online(s, cms, startLasts)
				case (!owner.Up || !fits(cms, owner)) && fits(cms, n) && c.free(s, n.Name):
					c.place(cms, n.Name)
					c.online(s, cms, startLasts)
				}
			}
		})
	})
}

// free reports whether a node owns no server.
func (c *cluster) free(s *clusterState, node string) bool {
	for _, cms := range s.Servers {
		if cms.Owner == node {
			return false
		}
	}
	return true
}

// booted is a node that was started anew: what an upgrade wanted it started anew for is
// done.
func (h *host) booted() {
	if h.cluster != nil {
		h.cluster.change(func(s *clusterState) { s.node(h.name).Restart = false })
	}
}

// level tells the cluster at which build a node's Mailbox role is configured.
func (c *cluster) level(node string, b exchange.Build) {
	same := false
	c.look(func(s *clusterState) { n := s.node(node); same = n == nil || n.Level == b })
	if same {
		return
	}
	c.change(func(s *clusterState) {
		n := s.node(node)
		n.Restart = n.Restart || n.Level.Minor != b.Minor
		n.Level = b
	})
}

// copyOf is the state of the copies of a server: status, and log files in the
// queues.
func (c *cluster) copyOf(s *clusterState, cms *clusteredServer) (status string, queue, replay int) {
	now := time.Now()
	for _, n := range s.Nodes {
		if n.Name == cms.Owner {
			continue
		}
		switch {
		case !n.Up:
			return "ServiceDown", 0, 0
		case c.suspended[n.Name]:
			return "Suspended", 0, 0
		case older(n.Level, cms.Build) && n.Level.Minor != cms.Build.Minor:
			return "Failed", 0, 0 // an older node cannot replay what a newer one wrote [K]
		}
	}
	switch {
	case now.Before(cms.Begins):
		return "Initializing", 0, 0
	case now.Before(cms.Ready):
		left := int(50*cms.Ready.Sub(now)/(c.lasts(catchUpLasts)+1)) + 1
		return "Healthy", left, left / 2
	}
	if queues, said := c.traitOf(cms.Owner, "copy-queue"); said {
		left, right, _ := strings.Cut(queues, ":")
		return "Healthy", atoi(left), atoi(right)
	}
	if status, said := c.traitOf(cms.Owner, "copy-status"); said {
		return status, 0, 0
	}
	return "Healthy", 0, 0
}

// traitOf is a trait of a node.
func (c *cluster) traitOf(node, name string) (value string, said bool) {
	for _, h := range c.hosts {
		if h.name == node {
			return h.trait(name)
		}
	}
	return "", false
}
