package twin

import (
	"crypto/subtle"
	"strings"
)

// HRESULTs with which a scheduler refuses an account (winerror.h). Which of
// them comes at registration and which at the start differs by scheduler.
const (
	hresultOK           = 0
	hresultLogonFailure = 0x8007052E // ERROR_LOGON_FAILURE
	hresultLocked       = 0x80070775 // ERROR_ACCOUNT_LOCKED_OUT
	hresultNoBatch      = 0x80070569 // ERROR_LOGON_TYPE_NOT_GRANTED
	hresultNoStorage    = 0x80070520 // ERROR_NO_SUCH_LOGON_SESSION: storing passwords is forbidden by policy
	hresultExists       = 0x800700B7 // ERROR_ALREADY_EXISTS
)

// registerTask keeps a task for both schedulers and returns an HRESULT; the
// caller holds the lock. Task Scheduler 1.0 keeps a task whose account it could
// not set, 2.0 keeps none; 2.0 keeps one whose account has no batch right and
// refuses to start it, and so does 1.0.
func (h *host) registerTask(t *task, password string) uint32 {
	key := strings.ToLower(t.Name)
	two := h.platform.scheduler == 2
	if two && h.state.Tasks[key] != nil {
		return hresultExists
	}
	who, code := h.logon(t.Account, password)
	if code == hresultOK && who.sid != sidSystem {
		switch {
		case h.strikes("credentials-storage-forbidden", nil) != nil: // "Network access: Do not allow storage of passwords and credentials"
			code = hresultNoStorage
		case two && h.strikes("runas-locked", nil) != nil: // 1.0 stores what it cannot check
			code = hresultLocked
		}
	}
	if code != hresultOK && two {
		h.happened("access-refused", map[string]any{"account": t.Account})
		return code
	}
	t.Right, t.Last, t.Refused = code == hresultOK, taskNeverRan, code
	if t.Right {
		t.Account = who.name
	}
	h.state.Tasks[key] = t
	h.writeFile(h.taskFile(t.Name), h.taskText(t))
	if two {
		id := "{" + newID() + "}"
		h.regPut(taskCache+`\Tree\`+t.Name, text("Id", id))
		h.regPut(taskCache+`\Tasks\`+id, text("Path", `\`+t.Name))
	}
	h.happened("task-created", map[string]any{"name": t.Name, "account": t.Account})
	h.armTask(t)
	h.registered()
	return code
}

// unregisterTask takes a task out of the scheduler; what runs goes on. The
// caller holds the lock.
func (h *host) unregisterTask(t *task) {
	delete(h.state.Tasks, strings.ToLower(t.Name))
	delete(h.state.Files, strings.ToLower(h.taskFile(t.Name)))
	if v := h.regGet(taskCache+`\Tree\`+t.Name, "Id"); v != nil {
		delete(h.state.Registry, strings.ToLower(taskCache+`\Tree\`+t.Name))
		delete(h.state.Registry, strings.ToLower(taskCache+`\Tasks\`+v.Text))
	}
}

// taskFile is where the scheduler keeps a task of its root folder.
func (h *host) taskFile(name string) string {
	if h.platform.scheduler == 2 {
		return h.platform.system32() + `\Tasks\` + name
	}
	return h.platform.windows + `\Tasks\` + name + ".job"
}

// taskText is what that file holds: 2.0 writes the XML it was given as UTF-16.
func (h *host) taskText(t *task) []byte {
	if h.platform.scheduler == 2 {
		return append([]byte{0xff, 0xfe}, utf16LE(t.XML)...)
	}
	return []byte("job of " + t.Name)
}

// logon checks an account for a batch logon and returns an HRESULT; the caller
// holds the lock.
func (h *host) logon(who, password string) (account, uint32) {
	o := h.fleet.opt
	same := func(want string) uint32 {
		if subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1 {
			return hresultOK
		}
		return hresultLogonFailure
	}
	switch low := strings.ToLower(who); {
	case low == "" || low == "system" || low == `nt authority\system` || low == sidLow || low == strings.ToLower(h.platform.system()):
		return systemAccount, hresultOK
	case o.RunAs != "" && strings.EqualFold(who, o.RunAs):
		return account{name: o.RunAs, sid: sidRunAs, ad: true}, same(o.RunAsPassword)
	case strings.EqualFold(base(who), o.User):
		return h.winrmAccount(o.User), same(o.Password)
	}
	return account{name: who}, hresultLogonFailure
}

var sidLow = strings.ToLower(sidSystem)

// mayStart is what a scheduler says when it logs a task's account on.
func (h *host) mayStart(t *task) uint32 {
	switch {
	case !t.Right:
		return t.Refused
	case t.Account == systemAccount.name:
		return hresultOK
	case h.strikes("runas-locked", nil) != nil:
		return hresultLocked
	case h.strikes("runas-no-batch-right", nil) != nil:
		return hresultNoBatch
	}
	return hresultOK
}
