package twin

import (
	"fmt"
	"strconv"
	"strings"
)

// processURI is the class's resource URI as answers spell it.
const processURI = wmiRoot + "root/cimv2/Win32_Process"

// processMethod answers GetOwner of the process that the selector Handle names.
// The shape of the answer is that of StdRegProv's methods; no record is known.
func (h *host) processMethod(r *request) (reply, *fault) {
	if bad := h.wmiStopped(); bad != nil {
		return reply{}, bad
	}
	if !strings.EqualFold(r.action, processURI+"/GetOwner") {
		return reply{}, faultAction()
	}
	if in := r.first(); in == nil || !strings.EqualFold(in.name, "GetOwner_INPUT") {
		return reply{}, faultSchema()
	}
	var found *process
	h.look(func() {
		for _, p := range h.allProcesses() {
			if strconv.Itoa(p.PID) == r.selectors["handle"] {
				found = p
			}
		}
	})
	if found == nil {
		return reply{}, faultNotFound()
	}
	domain, user, _ := strings.Cut(h.shownAccount(found.Owner), `\`)
	var b strings.Builder
	fmt.Fprintf(&b, `<p:GetOwner_OUTPUT xmlns:xsi="%s" xmlns:p="%s" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:GetOwner_OUTPUT">`, nsXSI, processURI)
	if found.PID <= 4 { // the kernel's own: access denied is ReturnValue 2
		b.WriteString(`<p:Domain xsi:nil="true"/><p:ReturnValue>2</p:ReturnValue><p:User xsi:nil="true"/>`)
	} else {
		fmt.Fprintf(&b, `<p:Domain>%s</p:Domain><p:ReturnValue>0</p:ReturnValue><p:User>%s</p:User>`, escape(domain), escape(user))
	}
	b.WriteString(`</p:GetOwner_OUTPUT>`)
	return reply{action: processURI + "/GetOwnerResponse", spaces: spaceW + spaceP, body: b.String()}, nil
}

// shownAccount is an account's name in the display language; the twin keeps
// SYSTEM's in English.
func (h *host) shownAccount(name string) string {
	if name == systemAccount.name {
		return h.platform.system()
	}
	if !strings.Contains(name, `\`) {
		return h.name + `\` + name
	}
	return name
}

// sessionName is what tasklist calls a process's session.
func sessionName(p *process) string {
	if p.Owner == systemAccount.name {
		return "Services"
	}
	if p.Session > 0 {
		return "RDP-Tcp#" + strconv.Itoa(p.Session)
	}
	return "Console"
}
