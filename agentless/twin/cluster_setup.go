package twin

import (
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
)

// clusterBlocks are the prerequisites of a node; the caller holds the host's lock.
// Setup on the node that owns a server is what must never happen: the journal has
// it as a violation, whoever asked for it.
func (s *setup) clusterBlocks() []string {
	h := s.h
	if h.cluster == nil {
		return nil
	}
	if cms := h.cluster.serverOn(h.name); cms != "" {
		h.happened("violation", map[string]any{"rule": "setup-on-active-node", "cms": cms})
		return []string{fmt.Sprintf("The clustered mailbox server %s is on this node. It must be moved to another node before Setup can continue.", cms)}
	}
	return nil
}

// upgradeCmsMinutes: much shorter than an upgrade of a node, since no file is
// copied (redmondmag 2008: a brief outage).
func (s *setup) upgradeCmsMinutes() int { return 6 + s.h.number("upgradecms", 4) }

const cmsKey = exchangeRoot + `\` + exchange.ClusteredMailboxKey

// upgradeCms takes the clustered mailbox server that this node owns to the node's
// build. Broken off, it leaves Action and Watermark below ClusteredMailboxServer
// (technet cc540457), and may be run again.
func (s *setup) upgradeCms(mode string) bool {
	if !s.banner(mode) {
		return false
	}
	if !s.s.who.ad {
		s.log(0, "[ERROR] Setup encountered a problem while validating the state of Active Directory: %s", adMessage)
		return false
	}
	s.takes(6)
	if !s.phase(3) || !s.phase(4) {
		return false
	}
	if why := s.mayUpgradeCms(); why != "" {
		s.log(1, "[ERROR] %s", why)
		s.print("    %s\r\n", why)
		return false
	}
	name := s.h.cluster.serverOn(s.h.name)
	s.log(0, "The clustered mailbox server %s will be upgraded.", name)
	if !s.phase(5) || !s.phase(6) {
		return false
	}
	s.h.update(func() {
		s.h.regSet(cmsKey, text("Action", upgradeMode))
		s.h.regSet(cmsKey, text("Watermark", s.watermark("cms", 1)))
	})
	if !s.takes(40) || !s.phase(7) {
		return false
	}
	cut := false
	s.h.update(func() {
		s.h.regSet(cmsKey, text("Watermark", s.watermark("cms", 2)))
		cut = s.h.strikes("upgrade-cms-power-loss", nil) != nil
	})
	if cut {
		s.h.fleet.goRun(s.h.powerLoss)
		<-s.s.ctx.Done()
		return false
	}
	if !s.takes(40) || !s.phase(8) {
		return false
	}
	s.h.cluster.change(func(cl *clusterState) {
		if cms := cl.server(name); cms != nil {
			cms.Build = s.target
			s.h.cluster.happened(name, "cms-upgraded", map[string]any{"node": s.h.name, "build": s.target.String()})
		}
	})
	s.h.update(func() {
		s.h.regSet(cmsKey, text("ConfiguredVersion", s.target.String()))
		s.h.regSet(cmsKey, text("UnpackedVersion", s.target.String()))
		s.h.regDelete(cmsKey, "Watermark")
		s.h.regDelete(cmsKey, "Action")
	})
	if !s.phase(9) {
		return false
	}
	// Sources disagree whether the server runs afterwards (the founding document) or
	// is started by hand (siliconexus).
	stays := false
	s.h.update(func() { stays = s.h.strikes("cms-stays-offline", nil) != nil })
	if !stays && !s.h.hasTrait("cms-stays-offline") {
		s.h.cluster.change(func(cl *clusterState) {
			if cms := cl.server(name); cms != nil && cms.Owner == s.h.name && cms.State == cmsOffline {
				s.h.cluster.online(cl, cms, startLasts)
			}
		})
	}
	return s.s.ctx.Err() == nil
}

// mayUpgradeCms says why Setup /UpgradeCms refuses, or "".
func (s *setup) mayUpgradeCms() (why string) {
	h := s.h
	c := h.cluster
	if c == nil {
		return "This computer is not a node of a cluster."
	}
	broken := false
	h.look(func() { broken = h.regGet(cmsKey, "Action") != nil })
	marked := false
	h.look(func() { marked = h.regGet(cmsKey, "ConfiguredVersion") != nil })
	c.look(func(cl *clusterState) {
		n := cl.node(h.name)
		var cms *clusteredServer
		for _, each := range cl.Servers {
			if each.Owner == h.name {
				cms = each
			}
		}
		behind := false // another node could still take the old server
		for _, other := range cl.Nodes {
			behind = behind || older(other.Level, s.target)
		}
		switch {
		case cms == nil:
			why = "There is no clustered mailbox server on this node."
		case !n.Up:
			why = "The Cluster service is not running."
		case older(n.Level, s.target):
			why = "This node must be upgraded first. Run Setup /mode:Upgrade."
		case n.Restart: // remembered: the node has to be restarted first
			why = "There is a pending reboot. Please restart the computer and rerun Setup."
		case !older(cms.Build, s.target) && !broken:
			why = "The clustered mailbox server is already at this version."
		case cms.State != cmsOffline && cms.State != cmsFailed:
			c.happened(h.name, "violation", map[string]any{"rule": "upgradecms-while-online", "cms": cms.Name})
			why = "The clustered mailbox server must be stopped."
		case !behind && !broken && marked:
			// siliconexus: after both nodes were upgraded the command refuses until the
			// key that marks the server as installed is deleted.
			c.happened(h.name, "violation", map[string]any{"rule": "upgradecms-forgotten", "cms": cms.Name})
			why = "The clustered mailbox server is installed already."
		}
	})
	return why
}

// stopCluster is a rollup that stops the node's Cluster service; it starts it with
// the other services (technet bb885043). Begun on a node that owns a server it is what
// must never happen; one that came while it ran, since its own node failed, is nobody's
// doing.
func (h *host) stopCluster(owned []string) {
	if h.cluster == nil {
		return
	}
	if len(owned) > 0 {
		h.happened("violation", map[string]any{"rule": "rollup-on-active-node", "owns": strings.Join(owned, ",")})
	}
	if s := h.service(clusterService); s != nil {
		h.serviceStopped(s)
	}
}
