package twin

import (
	"fmt"
	"strings"
	"time"
)

// What WinRM 1.1 (KB936059) answers differently from 2.0. Known from two
// recorded bodies (create, a WQL fault) and from Microsoft's tables of quotas;
// everything else is answered as by 2.0, which is a guess.

// leastIdle is what smaller idle times count as (the policy "Specify idle
// Timeout" of WindowsRemoteShell.admx; MS-WSMV for IdleTimeoutms).
const leastIdle = time.Minute

// idleOf is how long the shell that a Create asks for may idle: what the client
// wants, and no more than the host's own limit (WSMAN_SHELL_STARTUP_INFO_V10;
// recorded answers give a wanted minute back). Whether a longer time is cut, as
// here, or refused, and whether WinRM 1.1 knows the element, which is refused
// here, is not known.
func (p platform) idleOf(shell *element) (time.Duration, *fault) {
	most := p.quotas().idle
	wanted := shell.child("IdleTimeOut")
	if wanted == nil {
		return most, nil
	}
	idle, err := parseDuration(wanted.value())
	if err != nil || p.winrm == "1.1" {
		return 0, faultSchema()
	}
	return min(max(idle, leastIdle), most), nil
}

// newShellID is an identifier of a shell or a command: WinRM 1.1 writes them
// with their scheme in front (recorded for shells).
func (p platform) newShellID() string {
	if p.winrm == "1.1" {
		return "uuid:" + newID()
	}
	return newID()
}

// created is the answer to Create: the id is only in the selector, rsp:Shell
// came with later versions.
func (h *host) created(r *request, id string) reply {
	const inner = `<a:ReferenceParameters><w:ResourceURI>` + cmdShell + `</w:ResourceURI><w:SelectorSet>` +
		`<w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`
	if h.platform.winrm == "1.1" {
		return reply{
			action: transfer + "/CreateResponse", spaces: spaceW,
			body: `<x:ResourceCreated` + spaceW + ` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` + spaceX + spaceRSP + `>` +
				`<a:Address>` + anonymous + `</a:Address>` + fmt.Sprintf(inner, id),
		}
	}
	return reply{
		action: transfer + "/CreateResponse", spaces: spaceX + spaceW + spaceRSP + spaceP,
		body: `<x:ResourceCreated><a:Address>` + r.scheme + "://" + h.address + `/wsman</a:Address>` + fmt.Sprintf(inner, id),
	}
}

// refusal writes a fault in the way of the host's version and in its language:
// 1.1 names no machine and its WMI plugin has another name (recorded). That the
// text follows Windows' language and not the request's Locale is a guess.
func (h *host) refusal(f *fault) reply {
	old := *f
	old.text, old.inner = h.platform.text(f.text), h.platform.text(f.inner)
	if h.platform.winrm != "1.1" {
		return old.reply(h.machine())
	}
	if old.provider == "WMI Provider" {
		old.provider = "WMIv1 plugin for Windows Remote Management "
	}
	a := old.reply("")
	a.spaces = spaceX + spaceE + spaceN + spaceW
	return a
}

// shellKey is how an identifier of a shell or command is compared: without
// regard to case, with its scheme if it was given with one.
func shellKey(id string) string { return strings.ToUpper(id) }
