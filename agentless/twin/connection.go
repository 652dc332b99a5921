package twin

import (
	"context"
	"net"
	"net/http"
	"sync"

	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
)

// connection is what a host knows of one TCP connection: NTLM and Kerberos
// logons belong to it, not to a request. Requests of a connection follow each
// other, so it needs no lock.
type connection struct {
	pending *ntlm.Server    // an NTLM challenge that was not answered yet
	seal    sealed.Security // opens and seals messages; nil while nobody is logged on
	user    string          // who is logged on, as scripts see it
	// certified is whether the journal has the logon by certificate.
	certified bool
	cert      int // the host's certificate when the first request came
	known     bool
}

type connectionKey struct{}

// connected puts a connection's knowledge into its requests.
func connected(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// connectionOf is the knowledge of the request's connection.
func connectionOf(r *http.Request) *connection {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c
	}
	return &connection{}
}

// forget ends the login.
func (c *connection) forget() { c.pending, c.seal, c.user = nil, nil, "" }

// connections are the open ones of a host and what each does.
type connections struct {
	sync.Mutex
	open map[net.Conn]http.ConnState
	ever int
}

// note is told by http.Server.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.Lock()
	defer c.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked: // what is hijacked is cut at once
		delete(c.open, conn)
		return
	case http.StateNew:
		c.ever++
	case http.StateActive, http.StateIdle:
	}
	if c.open == nil {
		c.open = map[net.Conn]http.ConnState{}
	}
	c.open[conn] = state
}

// count says how many are open, and how many ever were.
func (c *connections) count() (open, ever int) {
	c.Lock()
	defer c.Unlock()
	return len(c.open), c.ever
}

// hangUp ends the connections that wait for a request; the others end after
// their answer, see host.stale.
func (h *host) hangUp() {
	h.conns.Lock()
	defer h.conns.Unlock()
	for conn, state := range h.conns.open {
		if state == http.StateIdle || state == http.StateNew {
			_ = conn.Close() // either way it ends
		}
	}
}

// stale reports whether the listener was made anew since the connection's first
// request.
func (h *host) stale(c *connection) bool {
	n := 0
	h.look(func() { n = h.state.Certificate })
	if !c.known {
		c.known, c.cert = true, n
	}
	return c.cert != n
}

// Load is what callers keep open on a host.
type Load struct {
	Connections int // TCP connections
	Shells      int
	Commands    int // of these shells, also ended ones that nobody signalled
	Connected   int // connections ever made
}

// Load tells what callers keep open on a host, or with "*" on all hosts: what
// a client leaves behind is seen here.
func (f *Fleet) Load(name string) (Load, error) {
	hosts := f.hosts
	if name != "*" {
		h, err := f.host(name)
		if err != nil {
			return Load{}, err
		}
		hosts = []*host{h}
	}
	var all Load
	for _, h := range hosts {
		open, ever := h.conns.count()
		all.Connections += open
		all.Connected += ever
		h.look(func() {
			all.Shells += len(h.shells)
			for _, s := range h.shells {
				all.Commands += len(s.commands)
			}
		})
	}
	return all, nil
}
