package twin

import "context"

// wmiIll is what a question to WMI meets while WMI is not well: nothing for as
// long as the caller waits (wmi-hangs, with "unanswered" not even a fault), or a
// damaged repository (wmi-damaged), which knows no class, or with "empty" no
// object of any. Nothing else on the machine needs WMI.
func (h *host) wmiIll(ctx context.Context, r *request) (reply, *fault, bool) {
	var hangs, unanswered, damaged, empty bool
	h.look(func() {
		for _, d := range h.state.Faults {
			switch {
			case !d.on():
			case d.Fault.Name == "wmi-hangs":
				hangs, unanswered = true, unanswered || d.unanswered
			case d.Fault.Name == "wmi-damaged":
				damaged, empty = true, empty || d.empty
			}
		}
	})
	switch {
	case unanswered:
		<-ctx.Done()
		return reply{}, faultTimedOut(), true
	case hangs:
		sleep(ctx, r.timeout)
		return reply{}, faultTimedOut(), true
	case empty && r.action == enumerating+"/Enumerate":
		return reply{
			action: enumerating + "/EnumerateResponse", spaces: spaceN + spaceW,
			body: `<n:EnumerateResponse><n:EnumerationContext/><w:Items/><w:EndOfSequence/></n:EnumerateResponse>`,
		}, nil, true
	case damaged:
		return reply{}, &fault{
			subcode: "w:InternalError", code: 2147749889, text: "The WMI service or the WMI provider returned an unknown error: HRESULT 0x80041001 ",
			provider: "WMI Provider", path: `%systemroot%\system32\WsmWmiPl.dll`,
		}, true
	}
	if bad := h.wmiStopped(); bad != nil {
		return reply{}, bad, true
	}
	return reply{}, nil, false
}
