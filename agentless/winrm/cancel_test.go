package winrm

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A host that reads no more does not hold a call by the farewell of TLS.
func TestTLSSaysNoFarewell(t *testing.T) {
	t.Parallel()
	shown := certificate(t, nil, nil)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	port := silent(t, func(c net.Conn) {
		go func() {
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{shown}}).Handshake()
			<-done // it reads no more
		}()
	})
	c := dialTo(t, Config{Address: "127.0.121.1", Port: port, TLS: &TLS{Pins: []Pin{shownPin(shown)}}, Account: Basic("u", "p")})
	c.transport.dialer.Control = func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) {
			if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8192); err != nil {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.start(ctx, shellID, Command{Line: "x", Args: []string{strings.Repeat("a", 140_000)}})
	if late := lateness(ctx); Outcome(err) != OutcomeUnknown || late > time.Second {
		t.Errorf("%s after its context ended: %v", late, err)
	}
}

// lateness is how long ago a context reached its deadline.
func lateness(ctx context.Context) time.Duration {
	end, _ := ctx.Deadline()
	return time.Since(end)
}

// However many shells were lost on a host that does not answer: a call ends with
// its context.
func TestLostShellsDoNotHoldACancelledCall(t *testing.T) {
	t.Parallel()
	for what, put := range map[string]func(c *Conn, one *shell){
		"lost": func(c *Conn, one *shell) {
			one.lost = true
			shells.mu.Lock()
			defer shells.mu.Unlock()
			h := shells.hosts[c.shelfKey()]
			if h == nil {
				h = &hostShells{}
				shells.hosts[c.shelfKey()] = h
			}
			h.lost = append(h.lost, one)
		},
		"too old": func(c *Conn, one *shell) {
			one.last = one.last.Add(-keptFor)
			shells.mu.Lock()
			defer shells.mu.Unlock()
			h := shells.hosts[c.shelfKey()]
			if h == nil {
				h = &hostShells{}
				shells.hosts[c.shelfKey()] = h
			}
			h.open++
			h.kept = append(h.kept, one)
		},
	} {
		h := newFakeHost(t).on("Delete", hang)
		c := h.dial(t)
		if _, err := c.Identity(withDeadline(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			put(c, &shell{id: fmt.Sprintf("L%d", i), page: 437, last: time.Now(), owner: c})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := c.Run(ctx, Command{Line: "hostname", CodePage: 437})
		cancel()
		if late := lateness(ctx); Outcome(err) != OutcomeTimeout || late > 900*time.Millisecond {
			t.Errorf("%s: %s after its context ended: %v", what, late, err)
		}
		if h.count("Create") > 0 {
			t.Errorf("%s: a shell was created after the end", what)
		}
		h.on("Delete", answer(http.StatusOK, soapBody("")))
	}
}
