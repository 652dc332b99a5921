package twin

import (
	"strings"
	"time"
)

// firewallService is the service that holds Windows Firewall.
func (h *host) firewallService() *service {
	if h.platform.before6() {
		return h.service("SharedAccess")
	}
	return h.service("MpsSvc")
}

// filters reports whether the firewall, while its service runs, lets nothing in
// that has no exception: on 2003 what is not set is on; the caller holds the lock.
func (h *host) filters() bool {
	for _, profile := range []string{"DomainProfile", "StandardProfile"} {
		v := h.regGet(firewallKey+`\`+profile, "EnableFirewall")
		if v == nil || v.Number != 0 {
			return true
		}
	}
	return false
}

// firewallTurned follows the firewall's service: one that filters and knows no
// exception for us takes the machine off the network; the caller holds the lock.
func (h *host) firewallTurned(s *service) {
	if f := h.firewallService(); f == nil || !strings.EqualFold(f.Name, s.Name) {
		return
	}
	if _, shut := h.trait("firewall-shuts-us-out"); !shut && !h.shut && (s.State != running || !h.filters() || h.strikes("firewall-cuts-off", nil) == nil) {
		return
	}
	off := s.State == running && h.filters()
	switch {
	case off && !h.shut:
		h.shut = true
		h.happened("cut-off", nil)
		h.loseAddress()
	case !off && h.shut:
		h.shut = false
		h.findAddress()
	}
}

// scriptFirewallStart starts the firewall's service and stops it again unless
// a file says in time that the host is still reached. What is waited for is the
// client's word, and the client does not run faster with the fleet's speed.
func scriptFirewallStart(r *records, args []string) int {
	h := r.c.s.h
	name, folder, seconds := argument(args, 0), argument(args, 1), atoi(argument(args, 2))
	code := 0
	h.update(func() {
		s := h.service(name)
		if s == nil {
			code = errServiceUnknown
			return
		}
		if s.State == stopped {
			code = h.startService(s)
		}
	})
	if code != 0 {
		return r.fail("System.ComponentModel.Win32Exception", "80004005")
	}
	for range seconds {
		here := false
		h.look(func() { here = h.fileAt(folder+`\here`) != nil })
		if here {
			r.put("state", "kept")
			return 0
		}
		if !sleep(r.c.s.ctx, h.awaits(time.Second)) {
			return 1
		}
	}
	h.update(func() {
		if s := h.service(name); s != nil && s.State != stopped {
			h.serviceStopped(s)
		}
	})
	r.put("state", "stopped")
	return 0
}
