package twin

import (
	"context"
	"time"
)

// How long things take on a machine of that age at speed 1: a Windows Server
// 2003 with Exchange needs minutes to go down and come up again.
const (
	shutdownLasts = 40 * time.Second
	bootLasts     = 150 * time.Second
)

// bootsApart is how far two starts of Windows are apart at least, by the time that
// the host tells of them: no machine is up again sooner. A simulated one is within
// milliseconds, and whoever compares two of these times takes less than half a
// minute for a clock that was set.
const bootsApart = 40 * time.Second

// boots is a start of Windows: the Session Manager renames what waited for it and
// forgets it (MoveFileEx, MOVEFILE_DELAY_UNTIL_REBOOT). A fast host that is started
// often tells a time that is up to bootsApart for each start ahead of its clock; the
// caller holds the lock.
func (h *host) boots() {
	now, earliest := h.now(), h.state.Booted.Add(bootsApart)
	h.state.Booted = now
	if now.Before(earliest) {
		h.state.Booted = earliest
	}
	h.regForget(sessionManager, "PendingFileRenameOperations")
}

// tells is the time that the host tells when it is asked since when it runs: no
// Windows was started later than now; the caller holds the lock.
func (h *host) tells() time.Time {
	if up := h.state.Booted.Add(5 * time.Second); h.now().Before(up) {
		return up
	}
	return h.now()
}

const sessionManager = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`

// restart shuts the machine down after the delay, as `shutdown -r` does, and
// brings it up again with a new boot time and services by their start mode.
func (h *host) restart(delay time.Duration) {
	boot := h.boot
	h.fleet.goRun(func() {
		if !sleep(boot, h.lasts(delay)) {
			return
		}
		h.update(func() {
			if boot.Err() != nil {
				return
			}
			h.happened("restart", nil)
			h.stopAllServices()
			h.goDown()
		})
		away := shutdownLasts + bootLasts
		h.update(func() { away = h.awayFor(away) })
		h.comeBack(away)
	})
}

// powerLoss ends everything at once; what ran does not end, it is gone.
func (h *host) powerLoss() {
	down := false
	h.update(func() {
		if h.boot.Err() != nil {
			return
		}
		down = true
		h.happened("power-loss", nil)
		h.goDown()
	})
	if down {
		h.fleet.goRun(func() { h.comeBack(bootLasts) })
	}
}

// goDown ends processes, shells and connections; the caller holds the lock.
func (h *host) goDown() {
	h.powerOff()
	h.processes = map[int]*process{}
	h.held = map[string]int{}
	h.shells = map[string]*shell{}
	h.contexts = map[string]*enumeration{}
	h.runAsTasks = 0
	h.state.forgetRunning()
	for _, s := range h.state.Services {
		s.State, s.PID = stopped, 0
	}
	h.leave()
	if h.server != nil {
		server := h.server
		h.server = nil
		h.fleet.goRun(func() { _ = server.Close() }) // nobody is left to be told
	}
}

// comeBack boots the machine after d and listens again.
func (h *host) comeBack(d time.Duration) {
	if !sleep(h.fleet.ctx, h.lasts(d)) {
		return
	}
	h.update(func() {
		if h.closed {
			return
		}
		h.boot, h.powerOff = context.WithCancel(h.fleet.ctx)
		h.boots()
		h.booted()
		h.startServicesAtBoot()
	})
	h.listenAgain()
	h.resume()
}

// closeDown ends the host with the program that simulates it.
func (h *host) closeDown() {
	h.mu.Lock()
	h.closed = true
	server := h.server
	h.mu.Unlock()
	if server != nil {
		_ = server.Close() // the program ends
	}
}

// resume goes on with what time has to do on a running machine: triggers of
// scheduled tasks, and services that were on their way.
func (h *host) resume() {
	h.update(func() {
		for _, t := range h.state.Tasks {
			h.armTask(t)
		}
	})
}
