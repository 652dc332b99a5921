package windows

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one entry of an event log, as Win32_NTLogEvent has it. Its text is in
// the host's language: nothing is decided by it.
type Event struct {
	Log     string    `json:"log"` // "Application", "System"
	Source  string    `json:"source"`
	Code    int       `json:"code"`
	Type    int       `json:"type"` // 1 error, 2 warning, 3 information, 4 and 5 audits
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

// Bounds of what is read of the event logs.
const (
	eventsWithin  = 8 * time.Second // WMI reads through a whole log
	eventsKept    = 300             // the newest
	eventsMessage = 2000            // characters of one text
)

// EventSources are those whose events tell what an upgrade did: Exchange Setup,
// Windows Installer and the service control manager.
var EventSources = []string{"MSExchangeSetup", "MsiInstaller", "Service Control Manager"}

// Events lists what EventSources wrote since a moment of the host's own clock,
// newest first, and says whether there was more than is kept. It is WMI's alone to
// tell: *NoWMI where that does not answer, and for that alone WMI does not count as
// one that hangs, since a large log is slow. From Windows Server 2008 on the name of
// the service control manager's source may begin with the provider's. Source:
// reference of Win32_NTLogEvent (its properties, Windows Server 2003 on) and of WQL
// (LIKE, dates).
func (h *Host) Events(ctx context.Context, since time.Time) (events []Event, more bool, err error) {
	if no := h.known.resting(time.Now()); no != nil {
		return nil, false, no
	}
	wql := fmt.Sprintf("SELECT Logfile,SourceName,EventCode,EventType,TimeGenerated,Message FROM Win32_NTLogEvent"+
		" WHERE (Logfile='Application' OR Logfile='System') AND TimeGenerated>='%s'"+
		" AND (SourceName='%s' OR SourceName='%s' OR SourceName LIKE '%%%s')",
		since.UTC().Format("20060102150405.000000")+"+000", EventSources[0], EventSources[1], EventSources[2])
	within, cancel := context.WithTimeout(ctx, eventsWithin)
	defer cancel()
	rows, err := h.conn.Enumerate(within, cimv2, wql)
	if err != nil {
		if no := h.noWMI(ctx, err); no != nil {
			return nil, false, no
		}
		return nil, false, err
	}
	for _, r := range rows {
		at, dated := r.Time("TimeGenerated")
		code, coded := r.Int("EventCode")
		kind, typed := r.Int("EventType")
		if !dated || !coded || !typed || r.Str("SourceName") == "" {
			return nil, false, fmt.Errorf("an event of %q was not understood", r.Str("SourceName"))
		}
		message := strings.TrimSpace(r.Str("Message"))
		if text := []rune(message); len(text) > eventsMessage {
			message = string(text[:eventsMessage])
		}
		events = append(events, Event{Log: r.Str("Logfile"), Source: r.Str("SourceName"), Code: int(code), Type: int(kind), At: at, Message: message})
	}
	slices.SortStableFunc(events, func(a, b Event) int { return b.At.Compare(a.At) })
	if len(events) > eventsKept {
		return events[:eventsKept], true, nil
	}
	return events, false, nil
}
