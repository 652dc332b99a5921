package twin

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// task is a scheduled task of Task Scheduler 1.0 or 2.0.
type task struct {
	Name    string
	Run     string // the command line, at most 262 characters
	Account string
	Right   bool      // the password was right when it was stored
	At      time.Time // ONCE, by the host's clock; in the past it never fires
	Fired   bool      // the trigger is spent
	Running bool
	Last    uint32 // last result; 0x41303 = has not run
	PID     int
	Refused uint32 `json:",omitempty"` // the HRESULT with which its account was not stored
	XML     string `json:",omitempty"` // of 2.0, as it was registered

	stop context.CancelFunc // while it runs
}

const (
	taskNeverRan  = 0x41303
	taskIsRunning = 0x41301
	maxTaskRun    = 262
)

// schtasks is schtasks.exe of Windows Server 2003.
func schtasks(c *call) int {
	name, _ := c.after("/tn")
	var t *task
	c.s.h.look(func() { t = c.s.h.state.Tasks[strings.ToLower(name)] })
	switch {
	case c.has("/create") && c.has("/?"):
		return c.createHelp()
	case c.has("/create"):
		return c.createTask(name, t)
	case c.has("/query") || len(c.args) == 0:
		return c.queryTasks(name, t)
	case t == nil:
		c.complain("ERROR: The specified task name \"%s\" does not exist in the system.\r\n", name)
		return 1
	case c.has("/run"):
		c.s.h.update(func() { c.s.h.startTask(t) })
		c.print("SUCCESS: Attempted to run the scheduled task \"%s\".\r\n", t.Name)
		return 0
	case c.has("/end"):
		c.s.h.update(func() {
			if t.stop != nil {
				t.stop()
			}
		})
		c.print("SUCCESS: The scheduled task \"%s\" has been terminated successfully.\r\n", t.Name)
		return 0
	case c.has("/delete"):
		if !c.has("/f") && !c.yes() {
			return 1
		}
		c.s.h.update(func() {
			c.s.h.unregisterTask(t)
		})
		c.print("SUCCESS: The scheduled task \"%s\" was successfully deleted.\r\n", t.Name)
		return 0
	}
	c.complain("ERROR: Invalid syntax.\r\nType \"SCHTASKS /?\" for usage.\r\n")
	return 1
}

// startTime is the form of /st that schtasks.exe takes: with seconds as on
// Windows XP or without as on Windows Vista; the documents do not agree on 2003.
func (f *Fleet) startTime() string {
	if f.opt.StartTimeWithoutSeconds {
		return "15:04"
	}
	return "15:04:05"
}

// yes waits for an answer on stdin; without one it is no.
func (c *call) yes() bool {
	c.print("WARNING: Are you sure (Y/N)? ")
	one := make([]byte, 1)
	n, err := c.in.Read(one)
	return err == nil && n == 1 && strings.EqualFold(string(one), "y")
}

// createOptions are the switches of schtasks /create in Windows Server 2003 and
// whether a value follows; later ones (/rl, /xml, /v1, /np, /delay) are unknown
// there.
var createOptions = map[string]bool{
	"/create": false, "/s": true, "/u": true, "/p": true, "/ru": true, "/rp": true, "/sc": true, "/mo": true, "/d": true, "/m": true,
	"/i": true, "/tn": true, "/tr": true, "/st": true, "/ri": true, "/et": true, "/du": true, "/k": false, "/sd": true, "/ed": true,
	"/it": false, "/z": false, "/f": false,
}

// createHelp names the switches of /create; the later ones only from Windows
// Vista on (the references of schtasks). What it says of each is left out.
func (c *call) createHelp() int {
	c.print("\r\nSCHTASKS /Create [/S system [/U username [/P [password]]]] /SC schedule /TN taskname /TR taskrun\r\n\r\n")
	names := slices.Sorted(maps.Keys(createOptions))
	if !c.s.h.platform.before6() {
		names = append(names, "/rl", "/xml", "/v1", "/np", "/delay", "/hresult")
	}
	for _, name := range names {
		if name != "/create" {
			c.print("    %s\r\n", strings.ToUpper(name))
		}
	}
	return 0
}

// wrongOption is the first word that is neither a switch nor a switch's value.
func (c *call) wrongOption(known map[string]bool) string {
	for i := 0; i < len(c.args); i++ {
		value, ok := known[strings.ToLower(c.args[i])]
		switch {
		case !ok:
			return c.args[i]
		case value:
			i++
		}
	}
	return ""
}

func (c *call) createTask(name string, old *task) int {
	run, _ := c.after("/tr")
	schedule, _ := c.after("/sc")
	at, _ := c.after("/st")
	who, _ := c.after("/ru")
	password, _ := c.after("/rp")
	if wrong := c.wrongOption(createOptions); wrong != "" {
		c.complain("ERROR: Invalid argument/option - '%s'.\r\nType \"SCHTASKS /CREATE /?\" for usage.\r\n", wrong)
		return 1
	}
	h := c.s.h
	when, err := time.Parse(h.fleet.startTime(), at)
	switch {
	case name == "" || run == "" || !strings.EqualFold(schedule, "once"):
		c.complain("ERROR: Invalid syntax. Mandatory option is missing.\r\n")
		return 1
	case len(run) > maxTaskRun:
		c.complain("ERROR: Invalid value for /TR option: at most %d characters.\r\n", maxTaskRun)
		return 1
	case strings.ContainsAny(name, `\/:*?"<>|`):
		c.complain("ERROR: The specified task name \"%s\" is invalid.\r\n", name)
		return 1
	case err != nil:
		c.complain("ERROR: Invalid Starttime value.\r\n")
		return 1
	}
	if old != nil && !c.has("/f") {
		c.print("WARNING: The Task Name \"%s\" already exists. Do you want to replace it (Y/N)? ", name)
		if !c.yes() {
			return 1
		}
	}
	var t *task
	h.update(func() {
		now := h.local()
		t = &task{
			Name: name, Run: run, Account: who,
			At: time.Date(now.Year(), now.Month(), now.Day(), when.Hour(), when.Minute(), when.Second(), 0, now.Location()),
		}
		t.Fired = !t.At.After(now)
		if old != nil {
			h.unregisterTask(old)
		}
		h.registerTask(t, password)
	})
	if !t.Right {
		c.print("WARNING: The Scheduled task \"%s\" has been created, but may not run because the account information could not be set.\r\n", name)
		return 0
	}
	if t.Fired {
		c.print("WARNING: The Scheduled task \"%s\" has been created, but may not run because /ST is earlier than current time.\r\n", name)
	}
	c.print("SUCCESS: The scheduled task \"%s\" has successfully been created.\r\n", name)
	return 0
}

func (c *call) queryTasks(name string, t *task) int {
	if name != "" && t == nil {
		c.complain("ERROR: The system cannot find the file specified.\r\n")
		return 1
	}
	c.print("\r\nTaskName                             Next Run Time            Status         \r\n" +
		"==================================== ======================== ===============\r\n")
	c.s.h.look(func() {
		for _, each := range c.s.h.state.Tasks {
			if t != nil && each != t {
				continue
			}
			next, status := "Never", ""
			if !each.Fired {
				next = each.At.In(c.s.h.platform.zone).Format("15:04:05, 1/2/2006")
			}
			if each.Running {
				status = "Running"
			} else if each.Last >= 0x80070000 {
				status = "Could not start"
			}
			c.print("%-36s %-24s %-15s\r\n", each.Name, c.s.h.platform.text(next), c.s.h.platform.text(status))
		}
	})
	return 0
}

// armTask waits for a trigger that lies ahead; the caller holds the lock.
func (h *host) armTask(t *task) {
	if t.Fired {
		return
	}
	wait := t.At.Sub(h.now())
	if wait < 0 { // the machine was off at its time: missed
		t.Fired = true
		return
	}
	h.later(wait, func() {
		if h.state.Tasks[strings.ToLower(t.Name)] == t && !t.Fired && !t.At.After(h.now()) {
			t.Fired = true
			h.startTask(t)
		}
	})
}

// startTask runs a task's program under its account, once at a time; the
// caller holds the lock. A task whose password is wrong does not start, and
// nobody who asked to run it is told.
func (h *host) startTask(t *task) {
	if s := h.service("Schedule"); t.Running || s == nil || s.State != running {
		return
	}
	if code := h.mayStart(t); code != hresultOK {
		t.Last = code
		h.happened("access-refused", map[string]any{"account": t.Account})
		return
	}
	who := systemAccount
	switch {
	case strings.EqualFold(t.Account, h.fleet.opt.RunAs):
		who = account{name: h.fleet.opt.RunAs, sid: sidRunAs, ad: true}
	case t.Account != systemAccount.name:
		who = h.winrmAccount(h.fleet.opt.User)
	}
	boot := h.boot
	ctx, cancel := context.WithCancel(boot)
	t.Running, t.Last, t.stop = true, taskIsRunning, cancel
	h.state.Running++
	if who.sid == sidRunAs {
		h.runAsTasks++
	}
	p := h.startProcess("cmd.exe", h.platform.system32()+`\cmd.exe`, `cmd /c `+t.Run, who.name, 0, cancel)
	t.PID = p.PID
	h.happened("task-ran", map[string]any{"name": t.Name, "account": who.name})
	h.fleet.goRun(func() {
		defer cancel()
		h.observeCommand(t.Run, "task")
		s := h.newSession(ctx, who, "task", parent(clean(firstWord(t.Run), h.platform.system32())))
		s.pid = p.PID
		code := s.program(t.Run, streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
		if s.flow == flowExit {
			code = s.exitCode
		}
		h.update(func() {
			if boot.Err() != nil { // the power went first
				return
			}
			h.endProcess(p)
			t.Running, t.Last, t.stop = false, uint32(code), nil
			h.state.Running--
			if who.sid == sidRunAs {
				h.runAsTasks--
			}
		})
	})
}

// String is for messages.
func (t *task) String() string { return fmt.Sprintf("task %s as %s", t.Name, t.Account) }
