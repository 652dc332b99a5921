package twin

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"time"
)

// wireFault is what happens to one request or to its answer.
type wireFault struct {
	name    string // "" = nothing
	drop    bool   // identify-only: the connection is cut instead of a 503
	answer  bool   // the host carries the request out first
	host    *host
	request *http.Request
	conn    *connection
	sealed  bool // the question came sealed

	was, is progress // before and after the question
}

// unasked takes a question back that was not answered: whoever asked will ask
// again.
func (f wireFault) unasked() {
	if f.host == nil {
		return
	}
	f.host.look(func() {
		if f.host.state.Progress == f.is {
			f.host.state.Progress = f.was
		}
	})
}

// meets moves the inferred step on, begins the faults that are due at this
// request, and says what the wire does with it.
func (h *host) meets(t *talk, raw []byte) wireFault {
	t.message, _ = parseXML(raw) // what is no XML is refused when it is carried out
	q := ask(t.message)
	f := wireFault{host: h, request: t.r, conn: t.c, sealed: t.sealed}
	began := false
	h.look(func() {
		f.was = h.state.Progress
		h.state.Progress.next(q, !h.state.SetupBroke && !h.pendingSetup())
		f.is = h.state.Progress
		if f.is.Attempt != f.was.Attempt { // another attempt is judged by itself
			h.state.SetupBroke = false
		}
		before := len(h.pending)
		h.mentioned(q)
		for _, d := range h.state.Faults {
			h.meet(d, q, &f)
		}
		began = len(h.pending) > before
	})
	if began { // save what has changed, and tell of it
		h.update(func() {})
	}
	switch f.name {
	case "garbage-xml", "oversized-xml", "slow-link", "unsealed-answer":
		f.answer = true // the damage is on the way back
	}
	return f
}

// meet is one question meeting one declared fault; the caller holds the lock.
func (h *host) meet(d *declared, q question, f *wireFault) {
	if q.identify && (d.Fault.Name == "identify-only" || d.Fault.Name == "unauthorized") {
		return // that question is always answered
	}
	if d.Fault.Name == "unsealed-answer" && !f.sealed || d.Fault.Name == "login-forgotten" && f.conn.seal == nil {
		return // nothing to leave unsealed, or to forget
	}
	hit := d.on() && d.kind.way == onWire
	if hit {
		d.Hits++
	} else if h.due(d) {
		h.begin(d)
		hit = d.kind.way == onWire
	}
	switch {
	case f.name != "": // the first declared one hits
	case d.silent && d.on():
		f.name = "hang" // nothing that is sent arrives
	case hit:
		f.name, f.answer = d.Fault.Name, d.answer
		f.drop = d.drop || d.Hits%2 == 0
	}
}

// before does what happens before the host acts; true when it does not act.
func (f wireFault) before(w http.ResponseWriter) bool {
	if f.name == "" || f.answer {
		return false
	}
	f.unasked()
	f.strike(w)
	return true
}

// strike ends a request without the host's answer.
func (f wireFault) strike(w http.ResponseWriter) {
	switch f.name {
	case "connection-reset":
		drop(w)
	case "hang":
		<-f.request.Context().Done() // the client's deadline, or the power
		drop(w)
	case "unauthorized", "login-forgotten":
		f.conn.forget()
		f.host.refuse(w)
	case "identify-only":
		if f.drop {
			drop(w)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=us-ascii")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD><BODY><h2>Service Unavailable</h2></BODY></HTML>")) // a caller that left is not told
	}
}

// around damages the answer that is written through the writer.
func (f wireFault) around(w http.ResponseWriter) http.ResponseWriter {
	if f.name == "" || f.name == "unsealed-answer" {
		return w
	}
	return &damaged{ResponseWriter: w, fault: f, status: http.StatusOK}
}

// damaged is a writer whose link or sender is faulty.
type damaged struct {
	http.ResponseWriter
	fault  wireFault
	status int
}

// Unwrap lets the connection be taken over.
func (d *damaged) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// WriteHeader keeps the status until the damage is known.
func (d *damaged) WriteHeader(status int) { d.status = status }

// Write sends the whole answer, which is written at once, in its damaged form.
func (d *damaged) Write(p []byte) (int, error) {
	if d.fault.name != "slow-link" {
		d.fault.unasked()
	}
	switch d.fault.name {
	case "garbage-xml":
		d.ResponseWriter.WriteHeader(d.status)
		cut := append(bytes.Clone(p[:len(p)/2]), 0x00, 0xff, 0xfe, '<', '<', '>')
		_, err := d.ResponseWriter.Write(cut)
		return len(p), err
	case "oversized-xml":
		return len(p), d.oversized(p)
	case "slow-link":
		return d.slowly(p)
	default:
		d.fault.strike(d.ResponseWriter)
		return len(p), nil
	}
}

// oversizedBytes is far more than MaxEnvelopeSizekb allows, and than a client
// should take into memory.
const oversizedBytes = 64 << 20

// oversized sends the answer with a text of many megabytes in front of its end:
// well-formed XML that only its size is wrong with.
func (d *damaged) oversized(p []byte) error {
	d.ResponseWriter.WriteHeader(d.status)
	end := max(0, bytes.LastIndex(p, []byte("</s:Body>")))
	if _, err := d.ResponseWriter.Write(p[:end]); err != nil {
		return err
	}
	filler := []byte("<x>" + strings.Repeat("A", 1<<16-7) + "</x>")
	for sent := 0; sent < oversizedBytes; sent += len(filler) {
		if _, err := d.ResponseWriter.Write(filler); err != nil {
			return err
		}
	}
	_, err := d.ResponseWriter.Write(p[end:])
	return err
}

// A slow link carries about a modem's 1,200 bytes a second, in small pieces.
const (
	slowPiece = 128
	slowPause = 100 * time.Millisecond
)

func (d *damaged) slowly(p []byte) (int, error) {
	d.ResponseWriter.WriteHeader(d.status)
	flush := http.NewResponseController(d.ResponseWriter)
	for sent := 0; sent < len(p); sent += slowPiece {
		if sent > 0 && !sleep(d.fault.request.Context(), d.fault.host.lasts(slowPause)) {
			return sent, d.fault.request.Context().Err()
		}
		if _, err := d.ResponseWriter.Write(p[sent:min(len(p), sent+slowPiece)]); err != nil {
			return sent, err
		}
		if err := flush.Flush(); err != nil {
			return sent, err
		}
	}
	return len(p), nil
}

// drop cuts a connection with a reset, as a machine does whose power went or
// whose service died: no answer, not even an empty one.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // it is gone already
		return
	}
	plain := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		plain = t.NetConn()
	}
	if tcp, ok := plain.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the connection ends either way
	}
	_ = plain.Close()
}
