package twin

import (
	"fmt"
	"strings"
	"time"
)

// serviceErrors are the texts of sc.exe for the errors it meets.
var serviceErrors = map[int]string{
	errServiceDependents: "A stop control has been sent to a service that other running services are dependent on.",
	errServiceRunning:    "An instance of the service is already running.",
	errServiceDisabled:   "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
	errServiceUnknown:    "The specified service does not exist as an installed service.",
	errServiceRequest:    "The requested control is not valid for this service.",
	errServiceControl:    "The service cannot accept control messages at this time.",
	errServiceStopped:    "The service has not been started.",
	errServiceDependency: "The dependency service or group failed to start.",
}

// stateNumbers and stateNames are what sc prints; numbers and names are not localised.
var stateNumbers = map[string]int{stopped: 1, startPending: 2, stopPending: 3, running: 4, paused: 7}

var stateNames = map[string]string{stopped: "STOPPED", startPending: "START_PENDING", stopPending: "STOP_PENDING", running: "RUNNING", paused: "PAUSED"}

var startNumbers = map[string]string{automatic: "2   AUTO_START", manual: "3   DEMAND_START", disabled: "4   DISABLED"}

// sc is the service control program; its exit code is the Win32 error.
func sc(c *call) int {
	if len(c.args) > 0 && (len(c.args) == 1 || strings.HasSuffix(c.args[1], "=")) {
		if verb := strings.ToLower(c.args[0]); verb == "query" || verb == "queryex" {
			return c.listServices(verb == "queryex")
		}
	}
	if len(c.args) < 2 {
		c.print("DESCRIPTION:\r\n        SC is a command line program used for communicating with the\r\n        NT Service Controller and services.\r\n")
		return 1639 & 0xffff
	}
	verb, name := strings.ToLower(c.args[0]), c.args[1]
	code, text := 0, ""
	c.s.h.update(func() { code, text = c.s.h.control(verb, name, c.args[2:]) })
	if code != 0 {
		what := map[string]string{"start": "StartService", "stop": "ControlService", "pause": "ControlService", "continue": "ControlService", "config": "OpenService", "query": "EnumQueryServicesStatus:OpenService", "queryex": "EnumQueryServicesStatus:OpenService", "qc": "OpenService"}[verb]
		if code == errServiceUnknown && !strings.HasPrefix(verb, "query") {
			what = "OpenService"
		}
		c.print("[SC] %s FAILED %d:\r\n\r\n%s\r\n\r\n", what, code, c.s.h.platform.text(serviceErrors[code]))
		return code
	}
	c.print("%s", text)
	return 0
}

// control does what sc was asked; the caller holds the lock.
func (h *host) control(verb, name string, rest []string) (int, string) {
	s := h.service(name)
	if s == nil {
		return errServiceUnknown, ""
	}
	switch verb {
	case "query", "queryex":
		return 0, h.status(s, verb == "queryex")
	case "qc":
		return 0, fmt.Sprintf("[SC] GetServiceConfig SUCCESS\r\n\r\nSERVICE_NAME: %s\r\n        TYPE               : 10  WIN32_OWN_PROCESS \r\n"+
			"        START_TYPE         : %s\r\n        ERROR_CONTROL      : 1   NORMAL\r\n        BINARY_PATH_NAME   : %s\r\n"+
			"        DISPLAY_NAME       : %s\r\n        DEPENDENCIES       : %s\r\n        SERVICE_START_NAME : %s\r\n",
			s.Name, startNumbers[s.StartMode], s.Path, h.platform.text(s.Display), strings.Join(s.DependsOn, "\r\n                           : "), s.Account)
	case "stop":
		if code := h.stopService(s); code != 0 {
			return code, ""
		}
		return 0, h.status(s, false)
	case "pause", "continue":
		if code := h.pauseService(s, verb == "pause"); code != 0 {
			return code, ""
		}
		return 0, h.status(s, false)
	case "start":
		if code := h.startService(s); code != 0 {
			return code, ""
		}
		return 0, h.status(s, true)
	case "config":
		return h.configure(s, rest)
	}
	return 1639, ""
}

// configure changes the start mode: `start= auto`, with the blank that sc wants.
// `delayed-auto` is of Windows Server 2008 and later; any other mode takes the
// delay away.
func (h *host) configure(s *service, rest []string) (int, string) {
	modes := map[string]string{"auto": automatic, "demand": manual, "disabled": disabled}
	if !h.platform.before6() {
		modes["delayed-auto"] = automatic
	}
	for i := 0; i+1 < len(rest); i += 2 {
		mode, ok := modes[strings.ToLower(rest[i+1])]
		if !strings.EqualFold(rest[i], "start=") || !ok {
			return 1639, ""
		}
		s.StartMode = mode
		key, delay := `HKLM\SYSTEM\CurrentControlSet\Services\`+s.Name, "DelayedAutostart"
		switch {
		case strings.EqualFold(rest[i+1], "delayed-auto"):
			h.regSet(key, dword(delay, 1))
		case h.regGet(key, delay) != nil:
			h.regSet(key, dword(delay, 0))
		}
	}
	if len(rest) == 0 || len(rest)%2 != 0 {
		return 1639, ""
	}
	return 0, "[SC] ChangeServiceConfig SUCCESS\r\n"
}

func (h *host) status(s *service, long bool) string {
	text := fmt.Sprintf("\r\nSERVICE_NAME: %s\r\n        TYPE               : 10  WIN32_OWN_PROCESS \r\n        STATE              : %d  %s \r\n",
		s.Name, stateNumbers[s.State], stateNames[s.State])
	flags := "(NOT_STOPPABLE,NOT_PAUSABLE,IGNORES_SHUTDOWN)"
	if s.State == running {
		flags = "(STOPPABLE,NOT_PAUSABLE,ACCEPTS_SHUTDOWN)"
	}
	text += "                                " + flags + "\r\n" +
		"        WIN32_EXIT_CODE    : 0  (0x0)\r\n        SERVICE_EXIT_CODE  : 0  (0x0)\r\n        CHECKPOINT         : 0x0\r\n        WAIT_HINT          : 0x0\r\n"
	if long {
		text += fmt.Sprintf("        PID                : %d\r\n        FLAGS              : \r\n", s.PID)
	}
	return text
}

// netCommand is net start and net stop, which wait for the service.
func netCommand(c *call) int {
	if len(c.args) == 0 {
		c.complain("The syntax of this command is:\r\n\r\nNET [ START | STOP ]\r\n")
		return 1
	}
	verb := strings.ToLower(c.args[0])
	if verb == "localgroup" {
		return c.localGroup()
	}
	if len(c.args) == 1 && verb == "start" {
		c.print("These Windows services are started:\r\n\r\n")
		c.s.h.look(func() {
			for _, s := range c.s.h.state.Services {
				if s.State == running {
					c.print("   %s\r\n", c.s.h.platform.text(s.Display))
				}
			}
		})
		c.print("\r\nThe command completed successfully.\r\n\r\n")
		return 0
	}
	if len(c.args) < 2 || verb != "start" && verb != "stop" {
		c.complain("The syntax of this command is:\r\n\r\nNET [ START | STOP ]\r\n")
		return 1
	}
	name := strings.Join(c.args[1:2], " ")
	var s *service
	c.s.h.look(func() { s = c.s.h.service(name) })
	if s == nil {
		c.complain("The service name is invalid.\r\n\r\nMore help is available by typing NET HELPMSG 2185.\r\n\r\n")
		return 2
	}
	want, word := running, "started"
	if verb == "stop" {
		want, word = stopped, "stopped"
	}
	code := 0
	c.s.h.update(func() { code, _ = c.s.h.control(verb, name, nil) })
	if code != 0 {
		c.complain("%s\r\n\r\n", serviceErrors[code])
		return 2
	}
	for there := false; !there; {
		c.s.h.look(func() { there = s.State == want })
		if !there && !sleep(c.s.ctx, 20*time.Millisecond) {
			return 1
		}
	}
	c.print("The %s service was %s successfully.\r\n\r\n", c.s.h.platform.text(s.Display), word)
	return 0
}
