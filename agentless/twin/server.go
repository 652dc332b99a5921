package twin

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// serve answers WS-Man on the listener until the host goes down.
func (h *host) serve(l net.Listener) {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       120 * time.Second, // http.sys drops idle connections then [K]
		BaseContext:       func(net.Listener) context.Context { return h.boot },
	}
	h.mu.Lock()
	h.server = server
	gone := h.closed
	h.mu.Unlock()
	if gone {
		_ = l.Close() // the fleet ended meanwhile
		return
	}
	h.fleet.goRun(func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			h.fleet.journal.note(err)
		}
	})
}

// ServeHTTP answers one request as http.sys and the WinRM service do.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.fleet.enter() {
		drop(w)
		return
	}
	defer h.fleet.wg.Done()
	w.Header().Set("Server", h.platform.http)
	switch {
	case r.URL.Path != "/wsman" && r.URL.Path != "/wsman/":
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxEnvelope+1))
	if err != nil {
		return
	}
	if len(raw) > maxEnvelope {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	user, known := h.authenticate(r)
	var met wireFault
	if identify := strings.EqualFold(r.Header.Get("WSMANIDENTIFY"), "unauthenticated"); known || identify {
		met = h.meets(r, raw)
		if met.before(w) {
			return
		}
		w = met.around(w)
	}
	if r.Context().Err() != nil { // the power went
		met.unasked()
		drop(w)
		return
	}
	if !known {
		if strings.EqualFold(r.Header.Get("WSMANIDENTIFY"), "unauthenticated") {
			// Without a login the operating system is not told [MS-WSMV 3.1.4.10, K].
			h.answer(w, identify("OS: 0.0.0 SP: 0.0 Stack: "+h.platform.winrm), "", true)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	root, err := parseXML(raw)
	if err == nil && root.child("Body").child("Identify") != nil {
		h.answer(w, identify(h.platform.identity()), "", true)
		return
	}
	req, err := parseRequest(raw)
	if err != nil {
		h.answer(w, h.refusal(faultSchema()), "", false)
		return
	}
	req.user, req.scheme = user, "http"
	if r.TLS != nil {
		req.scheme = "https"
	}
	req.client, _, _ = strings.Cut(r.RemoteAddr, ":")
	a, bad := h.dispatch(r.Context(), req)
	if bad != nil {
		a = h.refusal(bad)
	}
	if r.Context().Err() != nil { // the caller or the machine is gone: no answer, not even an empty one
		met.unasked()
		drop(w)
		return
	}
	h.answer(w, a, req.messageID, false)
}

func (h *host) answer(w http.ResponseWriter, a reply, relatesTo string, bare bool) {
	text := a.body
	if !bare {
		text = a.envelope(relatesTo)
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a caller that left is not told
}

// identify is the answer to Identify; it is no WS-Addressing message.
func identify(version string) reply {
	return reply{body: `<s:Envelope xml:lang="en-US" xmlns:s="` + nsSOAP + `"><s:Header/><s:Body>` +
		`<wsmid:IdentifyResponse xmlns:wsmid="` + nsIdentity + `"><wsmid:ProtocolVersion>` + nsWSMan +
		`</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor><wsmid:ProductVersion>` +
		version + `</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`}
}

// machine is the name that faults carry: the address the caller used.
func (h *host) machine() string {
	ip, _, _ := strings.Cut(h.address, ":")
	return ip
}

// authenticate checks Basic, which WinRM allows for local accounts only
// (Ansible's Windows documentation; MS-WSMV).
func (h *host) authenticate(r *http.Request) (string, bool) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return "", false
	}
	local := user
	if m, u, ok := strings.Cut(user, `\`); ok && (strings.EqualFold(m, h.name) || m == ".") {
		local = u
	}
	right := strings.EqualFold(local, h.fleet.opt.User) &&
		subtle.ConstantTimeCompare([]byte(password), []byte(h.fleet.opt.Password)) == 1
	if !right {
		h.update(func() { h.happened("access-refused", map[string]any{"account": user}) })
		return "", false
	}
	return local, true
}

// dispatch finds the operation by its action.
func (h *host) dispatch(ctx context.Context, r *request) (reply, *fault) {
	if r.badTimeout {
		return reply{}, faultBadTimeout()
	}
	if r.action == "" || r.messageID == "" {
		return reply{}, faultSchema()
	}
	if r.resource == cmdShell {
		switch r.action {
		case transfer + "/Create":
			return h.createShell(r)
		case transfer + "/Delete":
			return h.deleteShell(r)
		case nsShell + "/Command":
			return h.command(r)
		case nsShell + "/Send":
			return h.send(r)
		case nsShell + "/Receive":
			return h.receive(ctx, r)
		case nsShell + "/Signal":
			return h.signal(r)
		}
		return reply{}, faultAction()
	}
	path, ok := strings.CutPrefix(strings.ToLower(r.resource), wmiRoot)
	if !ok {
		return reply{}, faultResource()
	}
	switch r.action {
	case enumerating + "/Enumerate":
		return h.enumerate(r, path)
	case enumerating + "/Pull":
		return h.pull(r)
	case enumerating + "/Release":
		return h.release(r)
	case transfer + "/Get":
		return h.get(r, path)
	}
	switch path {
	case "root/default/stdregprov":
		return h.stdRegProv(r)
	case "root/cimv2/win32_process":
		return h.processMethod(r)
	}
	return reply{}, faultAction()
}
