package twin

import (
	"fmt"
	"time"
)

// event is one entry of an event log.
type event struct {
	Log, Source string
	Code, Type  int
	At          time.Time
	Message     string
}

// eventsKept is the size of the logs: older events are overwritten.
const eventsKept = 500

// Types of events (reference of Win32_NTLogEvent).
const (
	eventError       = 1
	eventInformation = 3
)

// logs writes to the event logs what a host writes of things that happened; the
// caller holds the lock. Sources: 7036 of the service control manager and 1022 and
// 1024 of Windows Installer are documented; 1000, 1001 and 1002 of Exchange Setup
// (begun, done, failed) are remembered. A text is in the host's language.
func (h *host) logs(what string, detail map[string]any) {
	write := func(log, source string, code, kind int, format string, args ...any) {
		h.state.Events = append(h.state.Events, event{log, source, code, kind, h.now(), fmt.Sprintf(h.platform.text(format), args...)})
		if n := len(h.state.Events) - eventsKept; n > 0 {
			h.state.Events = h.state.Events[n:]
		}
	}
	good := fmt.Sprint(detail["exit"]) == "0" || fmt.Sprint(detail["exit"]) == "3010"
	switch what {
	case "service-started":
		write("System", "Service Control Manager", 7036, eventInformation, "The %s service entered the running state.", detail["service"])
	case "service-stopped":
		write("System", "Service Control Manager", 7036, eventInformation, "The %s service entered the stopped state.", detail["service"])
	case "service-timed-out": // both numbers: KB944752
		write("System", "Service Control Manager", 7009, eventError, "Timeout (30000 milliseconds) waiting for the %s service to connect.", detail["service"])
		write("System", "Service Control Manager", 7000, eventError, "The %s service failed to start due to the following error: the service did not respond in time.", detail["service"])
	case "setup-started":
		write("Application", "MSExchangeSetup", 1000, eventInformation, "Exchange Server component setup began.")
	case "setup-ended":
		if good {
			write("Application", "MSExchangeSetup", 1001, eventInformation, "Exchange Server component setup completed successfully.")
		} else {
			write("Application", "MSExchangeSetup", 1002, eventError, "Exchange Server component setup failed.")
		}
	case "rollup-ended":
		if good {
			write("Application", "MsiInstaller", 1022, eventInformation, "Product: Microsoft Exchange Server - Update installed successfully.")
		} else {
			write("Application", "MsiInstaller", 1024, eventError, "Product: Microsoft Exchange Server - Update could not be installed. Error code %v.", detail["exit"])
		}
	}
}

// logEvents are Win32_NTLogEvent, the newest first.
func (h *host) logEvents() []instance {
	all := make([]instance, 0, len(h.state.Events))
	for n := len(h.state.Events) - 1; n >= 0; n-- {
		e := h.state.Events[n]
		kind := "information"
		if e.Type == eventError {
			kind = "error"
		}
		all = append(all, instance{
			{"Category", 0},
			{"CategoryString", nil},
			{"ComputerName", h.name},
			{"Data", nil},
			{"EventCode", e.Code},
			{"EventIdentifier", 1<<30 + e.Code},
			{"EventType", e.Type},
			{"InsertionStrings", nil},
			{"Logfile", e.Log},
			{"Message", e.Message},
			{"RecordNumber", n + 1},
			{"SourceName", e.Source},
			{"TimeGenerated", e.At},
			{"TimeWritten", e.At},
			{"Type", h.platform.text(kind)},
			{"User", nil},
		})
	}
	return all
}

// WriteEvent puts an event into the Application log of a host, for tests; a host
// that is not of the fleet has none.
func (f *Fleet) WriteEvent(hostName, source string, code, kind int, at time.Time, message string) {
	for _, h := range f.hosts {
		if h.name == hostName {
			h.update(func() {
				h.state.Events = append(h.state.Events, event{"Application", source, code, kind, at.UTC(), message})
			})
		}
	}
}
