package twin

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode/utf16"
)

const hrSharing = "80070020" // ERROR_SHARING_VIOLATION

// hold keeps a file open for writing, as cmd.exe keeps a handle that is
// redirected to it: nobody else may open it so. What it returns closes it; power
// that goes closes every file.
func (h *host) hold(path string) (release func()) {
	key := strings.ToLower(path)
	var held map[string]int
	h.look(func() {
		held = h.held
		held[key]++
	})
	return func() {
		h.look(func() {
			if held[key]--; held[key] == 0 {
				delete(held, key)
			}
		})
	}
}

// scriptTaskLook lists a task's folder, its result, whether its file alive is
// held open, and what the scheduler knows.
func scriptTaskLook(r *records, args []string) int {
	h := r.c.s.h
	folder, name, old := clean(argument(args, 0), r.c.s.cwd), argument(args, 1), argument(args, 2) == "1"
	type line struct{ name, value string }
	var lines []line
	h.look(func() {
		if h.folderAt(folder) {
			lines = append(lines, line{"exists", "1"})
			for _, f := range h.entries(folder) {
				if f.Dir {
					lines = append(lines, line{"entry", base(f.Path) + "|d|0"})
					continue
				}
				lines = append(lines, line{"entry", fmt.Sprintf("%s|f|%d", base(f.Path), len(f.Data))})
			}
			if f := h.fileAt(folder + `\alive`); f != nil && !f.Dir {
				held := "no"
				if h.held[strings.ToLower(f.Path)] > 0 {
					held = "System.IO.IOException " + hrSharing
				}
				lines = append(lines, line{"held", held})
			}
			if f := h.fileAt(folder + `\rc`); f != nil && !f.Dir {
				lines = append(lines, line{"rc", base64.StdEncoding.EncodeToString(f.Data)})
			}
		}
		t := h.state.Tasks[strings.ToLower(name)]
		switch {
		case t == nil:
		case old && h.platform.before6():
			lines = append(lines, line{"job", base64.StdEncoding.EncodeToString(t.jobFile())})
		case !old && !h.platform.before6():
			state := 3 // ready
			if t.Running {
				state = 4
			}
			lines = append(lines, line{"task", fmt.Sprintf("%s|%d|%08X", t.Name, state, t.Last)})
		}
	})
	for _, l := range lines {
		r.put(l.name, l.value)
	}
	if !old && h.platform.before6() {
		return r.fail(noSuchClass, hrArgument)
	}
	return 0
}

// jobFile is the file in which Task Scheduler 1.0 keeps a task (MS-TSCH 2.4):
// 68 bytes, then what has no fixed length.
func (t *task) jobFile() []byte {
	var b []byte
	u16 := func(n int) { b = binary.LittleEndian.AppendUint16(b, uint16(n)) }
	u32 := func(n uint32) { b = binary.LittleEndian.AppendUint32(b, n) }
	text := func(s string) {
		units := append(utf16.Encode([]rune(s)), 0)
		if s == "" {
			u16(0)
			return
		}
		u16(len(units))
		for _, u := range units {
			u16(int(u))
		}
	}
	exit, refused, status := t.Last, uint32(0), uint32(0x41300)
	if t.Last>>31 != 0 { // it could not be started
		exit, refused = 0, t.Last
	}
	switch {
	case t.Running:
		exit, status = 0, taskIsRunning
	case t.Last == taskNeverRan:
		exit, status = 0, taskNeverRan
	}
	u16(0x0502) // product: Windows Server 2003
	u16(1)
	b = append(b, make([]byte, 16)...) // uuid
	u16(70)                            // where the program's name begins
	u16(0)                             // triggers
	for range 2 {
		u16(0) // retries
	}
	u16(60) // idle deadline, idle wait
	u16(10)
	u32(0x20)      // normal priority
	u32(259200000) // at most 72 hours
	u32(exit)
	u32(status)
	u32(0)
	b = append(b, make([]byte, 16)...) // of the last run
	u16(0)                             // running instances
	program, arguments, _ := strings.Cut(t.Run, " ")
	text(program)
	text(arguments)
	text(`C:\`)
	text(t.Account)
	text("")
	u16(0) // user data
	u16(8)
	u32(refused)
	u32(0)
	u16(0) // no trigger that works
	return b
}

// scriptProgramList lists the running programs as .NET does, which needs no
// WMI: ".exe" is taken off their names.
func scriptProgramList(r *records, _ []string) int {
	h := r.c.s.h
	var lines []string
	h.look(func() {
		for _, p := range h.allProcesses() {
			name := p.Name
			if strings.HasSuffix(strings.ToLower(name), ".exe") {
				name = name[:len(name)-4]
			}
			lines = append(lines, fmt.Sprintf("%d|%d|%s", p.PID, p.Session, name))
		}
	})
	sort.Strings(lines)
	for _, l := range lines {
		r.put("entry", l)
	}
	return 0
}

// scriptServiceList lists the services, or one, as the service control manager
// and the registry know them.
func scriptServiceList(r *records, args []string) int {
	states := map[string]int{stopped: 1, startPending: 2, stopPending: 3, running: 4, paused: 7}
	modes := map[string]int{automatic: 2, manual: 3, disabled: 4}
	h := r.c.s.h
	var lines []string
	h.look(func() {
		for _, s := range h.state.Services {
			if argument(args, 0) == "" || strings.EqualFold(s.Name, argument(args, 0)) {
				lines = append(lines, fmt.Sprintf("%d|%d|%s|%s", states[s.State], modes[s.StartMode], s.Name, s.Account))
			}
		}
	})
	for _, l := range lines {
		r.put("service", l)
	}
	return 0
}

// scriptSystemLook says what Windows it is, since when it runs and what time it
// has: the first programs begin some seconds after the start.
func scriptSystemLook(r *records, _ []string) int {
	const moment = "2006-01-02T15:04:05.0000000Z"
	h, p := r.c.s.h, r.c.s.h.platform
	var now, boot time.Time
	h.look(func() { now, boot = h.tells(), h.state.Booted.Add(3*time.Second) })
	r.put("version", p.version)
	r.put("packs", p.servicePack*256)
	r.put("language", fmt.Sprintf("%04x", p.lcid))
	r.put("now", now.UTC().Format(moment))
	r.put("zone", h.zoneMinutes())
	r.put("boot", boot.UTC().Format(moment))
	r.put("windir", p.windows)
	r.put("drive", "C:")
	var disks []string
	h.look(func() {
		for _, d := range h.state.Disks {
			disks = append(disks, fmt.Sprintf("%s|%d|%d", d.ID, d.Size, h.freeOf(d)))
		}
	})
	for _, d := range disks {
		r.put("disk", d)
	}
	return 0
}
