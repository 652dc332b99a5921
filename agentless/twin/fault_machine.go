package twin

import (
	"slices"
	"strings"
	"time"
)

// waitsForRestart reports whether a fault waits for the machine's next restart,
// whoever asks for it.
func (d *declared) waitsForRestart() bool {
	return d.Fault.Name == "slow-restart" && d.Fault.Step == "" && d.Fault.At == ""
}

// awayFor is how long a restart takes: what it always does, or what a declared
// fault makes of it; the caller holds the lock.
func (h *host) awayFor(usual time.Duration) time.Duration {
	for _, d := range h.state.Faults {
		if d.waitsForRestart() && d.Left > 0 && !d.on() {
			h.begin(d)
			return d.lasts()
		}
	}
	return usual
}

// faultPower takes the power away. In the middle of Setup's phase 7 some roles
// are unpacked already and others are not (domain.md 3.2).
func (h *host) faultPower(d *declared) {
	if h.boot.Err() != nil {
		return
	}
	if d.phase == 7 && h.state.Setup != nil {
		keys := h.roleKeys()
		for _, key := range keys[:(len(keys)+1)/2] {
			h.regSet(exchangeRoot+`\`+key, text("UnpackedVersion", h.state.Setup.Target))
		}
	}
	h.happened("power-loss", nil)
	h.goDown()
	away := d.lasts()
	h.fleet.goRun(func() { h.comeBack(away) })
}

// faultRestart is a restart that nobody asked for.
func (h *host) faultRestart(d *declared) {
	if d.waitsForRestart() || h.boot.Err() != nil {
		return
	}
	h.happened("restart", nil)
	h.stopAllServices()
	h.goDown()
	away := d.lasts()
	h.fleet.goRun(func() { h.comeBack(away) })
}

// loseAddress takes the machine off the network; everything on it goes on.
func (h *host) loseAddress() {
	h.lost++
	if h.server != nil {
		server := h.server
		h.server = nil
		h.fleet.goRun(func() { _ = server.Close() }) // nobody is left to be told
	}
}

// findAddress brings the machine back to the network, if it is up.
func (h *host) findAddress() {
	if h.lost--; h.lost > 0 || h.boot.Err() != nil {
		return
	}
	h.fleet.goRun(h.listenAgain)
}

// listenAgain opens the port again: what had it may need a moment to go.
func (h *host) listenAgain() {
	for try := 0; try < 50; try++ {
		lost := false
		h.look(func() { lost = h.lost > 0 || h.closed || h.server != nil })
		if lost {
			return
		}
		err := h.listen()
		switch {
		case err == nil || !sleep(h.fleet.ctx, 100*time.Millisecond):
			return
		case try == 49:
			h.fleet.journal.note(err)
		}
	}
}

// faultWMI stops WMI: at once, or by Setup when that stops services.
func (h *host) faultWMI(d *declared) {
	if s := h.service("winmgmt"); s != nil && d.Fault.Step != stepSetup && d.phase == 0 {
		h.serviceStopped(s)
		s.StartMode = disabled
	}
}

// faultDisk leaves nothing free on the system's disk.
func (h *host) faultDisk(d *declared) {
	for _, disk := range h.state.Disks {
		if strings.EqualFold(disk.ID, "C:") {
			d.Free, disk.Free = disk.Free, 0
		}
	}
}

// NTFS keeps a file's data beside its name while that is short, and gives
// space by clusters [K].
const (
	residentBytes = 600
	clusterBytes  = 4096
)

// smallWrite is a write whose room on a disk that is not full is not counted.
const smallWrite = 64 << 10

// hasRoom reports whether a file may grow to a size: on a full disk one that
// stays beside its name or within its last cluster does; the caller holds the lock.
func (h *host) hasRoom(path string, size int) bool {
	old := 0
	if f := h.fileAt(path); f != nil {
		old = len(f.Data)
	}
	for _, disk := range h.state.Disks {
		if strings.EqualFold(disk.ID, path[:2]) && disk.Free > 0 && (size-old < smallWrite || h.freeOf(disk) >= int64(size-old)) {
			return true
		}
	}
	clusters := func(n int) int {
		if n <= residentBytes {
			return 0
		}
		return (n + clusterBytes - 1) / clusterBytes
	}
	return clusters(size) <= clusters(old)
}

// moveClock moves the host's clock. Triggers of tasks that it passes fire.
func (h *host) moveClock(by time.Duration) {
	h.state.ClockOffset += by
	h.happened("clock-moved", map[string]any{"seconds": int(by.Seconds())})
	for _, t := range h.tasksByTime() {
		switch {
		case t.Fired:
		case t.At.After(h.now()):
			h.armTask(t)
		default:
			t.Fired = true
			h.startTask(t)
		}
	}
}

func (h *host) tasksByTime() []*task {
	var all []*task
	for _, t := range h.state.Tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *task) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// registered is told of every task that was registered: a declared fault then
// moves the clock past the triggers of all tasks, and past the next midnight.
func (h *host) registered() {
	if h.strikes("clock-past-triggers", nil) == nil {
		return
	}
	now := h.local()
	to := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 5, 0, 0, now.Location())
	for _, t := range h.state.Tasks {
		if !t.Fired && t.At.After(to) {
			to = t.At.Add(5 * time.Minute)
		}
	}
	h.moveClock(to.Sub(now))
}

// holds reports whether a service is the fault's: the named one, or any of a
// third party.
func (d *declared) holds(s *service) bool {
	if d.service != "" {
		return strings.EqualFold(d.service, s.Name)
	}
	return s.ThirdParty
}

// refusesToStop reports whether a service that was asked to stop never will.
func (h *host) refusesToStop(s *service) bool {
	return h.strikes("service-will-not-stop", func(d *declared) bool { return d.holds(s) }) != nil
}

// watchdog is how soon a service comes back that another program guards.
const watchdog = 20 * time.Second

// comesBack lets a service that stopped start again by itself, with its start
// mode automatic, as third parties' watchdogs and policies do.
func (h *host) comesBack(s *service) {
	if h.strikes("service-comes-back", func(d *declared) bool { return d.holds(s) }) == nil {
		return
	}
	s.StartMode = automatic // at once: after a restart it runs as well
	h.later(h.lasts(watchdog), func() {
		if s.State == stopped {
			h.serviceStarted(s)
		}
	})
}

// plantedBy is the ordinary user who was a moment faster.
const plantedBy = "S-1-5-21-2052111302-1275210071-1644491937-1187"

// mentioned lets an ordinary user plant a task's folder before the first time
// that anybody looks for it.
func (h *host) mentioned(q question) {
	m := taskWord.FindString(q.text)
	if m == "" || !strings.Contains(q.text, `C:\Wavekeeper\tasks\`+m) {
		return
	}
	path := `C:\Wavekeeper\tasks\` + m
	if h.fileAt(path) != nil {
		return
	}
	d := h.strikes("planted-folder", nil)
	if d == nil {
		return
	}
	h.makeFolder(path)
	if f := h.fileAt(path); d.junction {
		f.Junction, f.Protected, f.Entries = true, true, []string{sidSystem, "S-1-5-32-544"}
		return
	}
	h.fileAt(path).Owner = plantedBy
	h.writeFile(path+`\body.cmd`, []byte("@echo off\r\nnet localgroup Administrators CORP\\mallory /add\r\n"))
	h.fileAt(path + `\body.cmd`).Owner = plantedBy
}

// foreignOwner runs another Setup in a session of their own.
const foreignOwner = `CORP\otheradmin`

// beginForeignSetup is another person's Setup, in their terminal session: the
// programs are there, with their owner; the registry is not touched yet.
func (h *host) beginForeignSetup() {
	if h.boot.Err() != nil {
		return
	}
	session := 2 + len(h.platform.loggedOn)
	shell := h.startProcess("explorer.exe", h.platform.windows+`\explorer.exe`, h.platform.windows+`\Explorer.EXE`, foreignOwner, 0, nil)
	first := h.startProcess("Setup.com", `D:\SP1\Setup.com`, `D:\SP1\Setup.com /mode:Upgrade`, foreignOwner, shell.PID, nil)
	second := h.startProcess("ExSetup.exe", h.platform.windows+`\Temp\ExchangeServerSetup\ExSetup.exe`, `ExSetup.exe /mode:Upgrade`, foreignOwner, first.PID, nil)
	for _, p := range []*process{shell, first, second} {
		p.Session = session
	}
}

func (h *host) endForeignSetup() {
	for pid, p := range h.processes {
		if p.Owner == foreignOwner {
			delete(h.processes, pid)
		}
	}
}

// foreignSetup reports whether another person's Setup runs.
func (h *host) foreignSetup() bool {
	for _, p := range h.processes {
		if p.Owner == foreignOwner && p.Name == "ExSetup.exe" {
			return true
		}
	}
	return false
}
