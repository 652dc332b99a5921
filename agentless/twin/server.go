package twin

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/sealed"
)

// nowhere is the log of http.Server, which would write to standard error.
var nowhere = log.New(io.Discard, "", 0)

// serve answers WS-Man on the listener until the host goes down.
func (h *host) serve(l net.Listener) {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       120 * time.Second, // http.sys drops idle connections then [K]
		BaseContext:       func(net.Listener) context.Context { return h.boot },
		ConnContext:       connected,
		ConnState:         h.conns.note,
		ErrorLog:          nowhere, // handshakes that fail are what tests are for
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
	limit := h.envelope()
	raw, err := io.ReadAll(io.LimitReader(r.Body, int64(limit+frameRoom+1)))
	if err != nil {
		return
	}
	isSealed := sealed.IsSealed(r.Header.Get("Content-Type"))
	if len(raw) > limit+frameRoom || !isSealed && len(raw) > limit {
		if isSealed { // it was not opened, so that the next one on the connection cannot be
			connectionOf(r).forget()
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	c := connectionOf(r)
	if h.stale(c) {
		w.Header().Set("Connection", "close")
	}
	t := &talk{h: h, w: w, r: r, c: c}
	if r.Header.Get("Authorization") == "" && t.asksWho() && c.user == "" {
		// Without a login the operating system is not told [MS-WSMV 3.1.4.10, K].
		if t.met = h.meets(t, raw); !t.met.before(w) {
			t.answer(identify("OS: 0.0.0 SP: 0.0 Stack: "+h.platform.winrm), "", true)
		}
		return
	}
	user, on := h.identified(w, r, c, len(raw) == 0)
	switch {
	case !on:
		return
	case user == "":
		h.refuse(w)
		return
	case isSealed:
		if c.seal == nil { // by Basic, or not any more
			h.refuse(w)
			return
		}
		if raw, _, err = sealed.Unwrap(c.seal, raw); err != nil {
			c.forget()
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if t.sealed = true; len(raw) > limit {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
	case r.TLS == nil && !h.access.Plain:
		// AllowUnencrypted is false: 500 without a body (pywinrm issue 208).
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if t.met = h.meets(t, raw); t.met.before(w) {
		return
	}
	t.carryOut(user)
}

// frameRoom is how much longer than its message a sealed body may be.
const frameRoom = 2048

// talk is one request on its way.
type talk struct {
	h       *host
	w       http.ResponseWriter
	r       *http.Request
	c       *connection
	message *element  // nil: it is no XML
	sealed  bool      // the message came sealed, and so does its answer
	met     wireFault // what the wire does with it
}

// asksWho reports whether it may be the question that needs no login.
func (t *talk) asksWho() bool {
	return strings.EqualFold(t.r.Header.Get("WSMANIDENTIFY"), "unauthenticated")
}

// carryOut does what a message of a known user asks for.
func (t *talk) carryOut(user string) {
	h, r := t.h, t.r
	if r.Context().Err() != nil { // the power went
		t.met.unasked()
		drop(t.w)
		return
	}
	if t.message.child("Body").child("Identify") != nil {
		t.answer(identify(h.platform.identity()), "", true)
		return
	}
	req, err := parseRequest(t.message, h.envelope())
	if err != nil {
		t.answer(h.refusal(faultSchema()), "", false)
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
		t.met.unasked()
		drop(t.w)
		return
	}
	t.answer(a, req.messageID, false)
}

// answer writes an answer, sealed where its question was.
func (t *talk) answer(a reply, relatesTo string, bare bool) {
	text := []byte(a.body)
	if !bare {
		text = []byte(a.envelope(relatesTo))
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	const plain = "application/soap+xml;charset=UTF-8"
	kind := plain
	if t.sealed && t.met.name != "unsealed-answer" {
		framed, err := sealed.Wrap(t.c.seal, text, plain)
		if err != nil { // a context that broke; the connection is of no more use
			drop(t.w)
			return
		}
		kind, text = sealed.ContentType, framed
	}
	w := t.met.around(t.w)
	w.Header().Set("Content-Type", kind)
	if t.met.name == "" { // as http.sys tells it
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // a caller that left is not told
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

// dispatch finds the operation by its action.
func (h *host) dispatch(ctx context.Context, r *request) (reply, *fault) {
	if r.badTimeout {
		return reply{}, faultBadTimeout()
	}
	if r.action == "" || r.messageID == "" {
		return reply{}, faultSchema()
	}
	if !h.admin(r.user) {
		return reply{}, faultAccess()
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
	if a, bad, ill := h.wmiIll(ctx, r); ill {
		return a, bad
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
