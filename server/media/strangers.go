package media

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	asksAtOnce   = 8               // questions about tokens at the same time, so that strangers leave connections to the database for others
	asksWait     = 2 * time.Second // for one's turn
	wrongBurst   = 20              // wrong tokens from one address at once
	wrongPerSec  = 2               // and each second after
	mostStranger = 4096            // addresses that are remembered

	connsInAll      = 1024 // open at the same time
	connsPerAddress = 64
)

var errTooMany = errors.New("too many ask at the same time")

// strangers keeps what those without a living job may cost.
type strangers struct {
	turn chan struct{}

	mu    sync.Mutex
	wrong map[netip.Addr]*rate.Limiter
	conns map[netip.Addr]int
	open  int
}

func newStrangers() *strangers {
	return &strangers{turn: make(chan struct{}, asksAtOnce), wrong: map[netip.Addr]*rate.Limiter{}, conns: map[netip.Addr]int{}}
}

// ask asks for the grant of a token; errTooMany when that is nobody's turn now.
func (s *strangers) ask(ctx context.Context, grants Grants, from netip.Addr, sum string) (Grant, error) {
	if s.tired(from) {
		return Grant{}, errTooMany
	}
	wait := time.NewTimer(asksWait)
	defer wait.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-wait.C:
		return Grant{}, errTooMany
	case <-ctx.Done():
		return Grant{}, ctx.Err()
	}
	defer func() { <-s.turn }()
	g, err := grants.Grant(ctx, sum)
	if errors.Is(err, ErrNoGrant) {
		s.mistaken(from)
	}
	return g, err
}

// tired reports whether an address had too many wrong tokens a moment ago.
func (s *strangers) tired(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	had := s.wrong[from]
	return had != nil && had.Tokens() < 1
}

func (s *strangers) mistaken(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) >= mostStranger {
		s.wrong = map[netip.Addr]*rate.Limiter{} // all are forgiven
	}
	had := s.wrong[from]
	if had == nil {
		had = rate.NewLimiter(wrongPerSec, wrongBurst)
		s.wrong[from] = had
	}
	had.Allow()
}

// state closes connections above the bounds as they come; it is
// http.Server.ConnState.
func (s *strangers) state(c net.Conn, now http.ConnState) {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	from := at.Addr().Unmap().WithZone("")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now {
	case http.StateNew:
		s.open++
		s.conns[from]++
		if s.open > connsInAll || s.conns[from] > connsPerAddress {
			_ = c.Close() // nothing was sent
		}
	case http.StateClosed, http.StateHijacked:
		s.open--
		if s.conns[from]--; s.conns[from] <= 0 {
			delete(s.conns, from)
		}
	case http.StateActive, http.StateIdle:
	}
}
