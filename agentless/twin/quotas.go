package twin

import (
	"strings"
	"time"
)

// quotas are the limits of one version of WinRM; 0 is no limit.
type quotas struct {
	shells     int           // per user
	users      int           // with a shell
	processes  int           // per shell
	operations int           // per user, given back when the shell is deleted
	service    int           // operations of the whole service, given back likewise
	idle       time.Duration // of a shell
}

// quotas are winrm/config's defaults (winrm.md 2.2). 2.0: msdn ee309367,
// MS-WSMV, and the operations of a text shell are given back only when it is
// deleted (MS-WSMV appendix B note 118, quoted in ansible pull request 83656).
// 1.1 counts operations for the whole service, starts fewer processes and lets a
// shell idle for 15 minutes [K].
func (p platform) quotas() quotas {
	if p.winrm == "1.1" {
		return quotas{shells: 5, users: 5, processes: 5, service: 100, idle: 900 * time.Second}
	}
	return quotas{shells: 5, users: 5, processes: 15, operations: 15, idle: 180 * time.Second}
}

// smallEnvelope is the least that MaxEnvelopeSizekb can be set to (winrm help
// config: 32 to 4294967295), in bytes.
const smallEnvelope = 32 << 10

// envelope is how long a message and its answer may be.
func (h *host) envelope() int {
	n := maxEnvelope
	h.look(func() {
		if h.on("small-envelope") {
			n = smallEnvelope
		}
	})
	return n
}

// mayOpen says why a user may not have one shell more; the caller holds the lock.
func (h *host) mayOpen(user string) *fault {
	if d := h.full(); d != nil && !d.operations {
		if d.users {
			return faultUserQuota()
		}
		return faultShellQuota()
	}
	q := h.platform.quotas()
	mine, users := 0, map[string]bool{strings.ToLower(user): true}
	for _, s := range h.shells {
		users[strings.ToLower(s.user)] = true
		if strings.EqualFold(s.user, user) {
			mine++
		}
	}
	switch {
	case mine >= q.shells:
		return faultShellQuota()
	case len(users) > q.users:
		return faultUserQuota()
	}
	return nil
}

// mayRun says why a shell may not have one command more; the caller holds the
// lock. A command is one process here; what it starts counts on Windows, too.
func (h *host) mayRun(s *shell) *fault {
	if d := h.full(); d != nil && d.operations {
		return faultOperationQuota()
	}
	q := h.platform.quotas()
	mine, all, running := 0, 0, 0
	for _, other := range h.shells {
		all += other.operations
		if strings.EqualFold(other.user, s.user) {
			mine += other.operations
		}
	}
	for _, c := range s.commands {
		if !c.ended() {
			running++
		}
	}
	switch {
	case q.operations > 0 && mine >= q.operations, q.service > 0 && all >= q.service:
		return faultOperationQuota()
	case running >= q.processes:
		return faultProcessQuota()
	}
	return nil
}

// full is a declared fault that others' shells or operations have used the
// quotas up.
func (h *host) full() *declared {
	for _, d := range h.state.Faults {
		if d.Fault.Name == "quota-full" && d.on() {
			return d
		}
	}
	return nil
}
