package winrm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// idleLane is how long a connection is kept that nobody uses: http.sys drops
// them after 120 s.
const idleLane = time.Minute

// lanes are the connections to one host: at most connsPerHost in use at once,
// the one used last first. None has a goroutine; those that nobody uses end by a
// timer.
type lanes struct {
	places chan struct{}

	mu     sync.Mutex
	idle   []*lane // the longest idle first
	timer  *time.Timer
	closed bool
}

// place waits for the right to use a connection.
func (p *lanes) place(ctx context.Context) error {
	select {
	case p.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for one of %d connections: %w", ErrTimeout, connsPerHost, ctx.Err())
	}
}

func (p *lanes) leave() { <-p.places }

// take gives an idle connection that is still open; nil when there is none.
func (p *lanes) take() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.idle) - 1; n >= 0; n-- {
		l := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		if time.Since(l.idle) < idleLane && l.alive() {
			return l
		}
		l.close()
	}
	return nil
}

// put keeps a connection for the next call.
func (p *lanes) put(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.close()
		return
	}
	l.idle = time.Now()
	p.idle = append(p.idle, l)
	switch {
	case p.timer == nil:
		p.timer = time.AfterFunc(idleLane, p.sweep)
	case len(p.idle) == 1:
		p.timer.Reset(idleLane)
	}
}

// sweep ends what was idle for long enough.
func (p *lanes) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && time.Since(p.idle[0].idle) >= idleLane {
		p.idle[0].close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	if len(p.idle) > 0 {
		p.timer.Reset(idleLane - time.Since(p.idle[0].idle))
	}
}

// close ends the idle connections, and each other when its call is over.
func (p *lanes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.empty()
}

// drop ends the idle connections; those of calls that still run are not touched.
func (p *lanes) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty()
}

// empty ends the idle connections; the caller holds the lock.
func (p *lanes) empty() {
	for _, l := range p.idle {
		l.close()
	}
	p.idle = nil
}
