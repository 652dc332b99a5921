package live

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// pace is the least time between two renderings of one page: at most four
// patches a second.
const pace = 250 * time.Millisecond

// again is when a rendering that failed is tried once more.
const again = 2 * time.Second

// group is the streams that show the same page to the same audience.
type group struct {
	hub     *Hub
	page    Page
	clients map[*client]bool // guarded by hub.mu
	dirty   chan struct{}
	empty   chan struct{}
	last    map[string][]byte // what was sent last, by target
}

// client is one stream: what it was not sent yet. Later fragments replace
// earlier ones of the same target, so that a slow browser costs one page.
type client struct {
	behind  bool // it has to get everything; guarded by hub.mu like the rest
	stale   bool // what it shows may be out of date: nothing could be rendered, or changes are not heard of
	over    bool
	id      string
	order   []string
	pending map[string][]byte
	wake    chan struct{}
}

func newGroup(h *Hub, p Page) *group {
	if p.Patience == 0 {
		p.Patience = 20 * time.Second
	}
	return &group{hub: h, page: p, clients: map[*client]bool{}, dirty: make(chan struct{}, 1), empty: make(chan struct{}), last: map[string][]byte{}}
}

func (g *group) shows(topic string) bool {
	for _, t := range g.page.Topics {
		if matches(t, topic) {
			return true
		}
	}
	return false
}

func (g *group) ring() {
	select {
	case g.dirty <- struct{}{}:
	default: // it is rung already
	}
}

// run renders the page whenever it was rung, and at the latest when its
// patience is over, until nobody looks at it.
func (g *group) run() {
	age := time.NewTimer(g.page.Patience)
	defer age.Stop()
	for {
		select {
		case <-g.empty:
			return
		case <-g.hub.done:
			return
		case <-g.dirty:
		case <-age.C:
		}
		if g.render() {
			age.Reset(g.page.Patience)
		} else {
			age.Reset(min(again, g.page.Patience))
		}
		select {
		case <-g.empty:
			return
		case <-g.hub.done:
			return
		case <-time.After(pace):
		}
	}
}

// render renders the page for its streams and reports whether it could.
func (g *group) render() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	update, err := g.page.Render(ctx)
	switch {
	case errors.Is(err, ErrOver):
		g.end()
	case err != nil:
		// It is tried again soon; the streams stay open and their pages say since
		// when they are stale.
		g.hub.log.Warn("render for a stream", "page", g.page.Key, "err", err)
		g.outdated()
		return false
	default:
		g.share(update)
	}
	return true
}

// outdated tells every stream that its page could not be rendered.
func (g *group) outdated() {
	g.hub.mu.Lock()
	defer g.hub.mu.Unlock()
	for c := range g.clients {
		c.stale = true
		c.signal()
	}
}

// share gives every stream what changed, and the whole page to those that are behind.
func (g *group) share(u Update) {
	g.hub.mu.Lock()
	defer g.hub.mu.Unlock()
	for _, f := range u.Fragments {
		changed := !bytes.Equal(g.last[f.Target], f.HTML)
		for c := range g.clients {
			if changed || c.behind {
				c.add(f)
			}
		}
		if changed {
			g.last[f.Target] = f.HTML
		}
	}
	for c := range g.clients {
		c.behind, c.stale, c.id = false, g.hub.deaf, u.ID
		c.signal()
	}
}

func (g *group) end() {
	g.hub.mu.Lock()
	defer g.hub.mu.Unlock()
	for c := range g.clients {
		c.over = true
		c.signal()
	}
}

func (c *client) add(f Fragment) {
	if c.pending == nil {
		c.pending = map[string][]byte{}
	}
	if _, there := c.pending[f.Target]; !there {
		c.order = append(c.order, f.Target)
	}
	c.pending[f.Target] = f.HTML
}

func (c *client) signal() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake already
	}
}

// take returns what the stream was not sent yet, and how it stands.
func (h *Hub) take(c *client) (u Update, stale, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u.ID = c.id
	for _, target := range c.order {
		u.Fragments = append(u.Fragments, Fragment{Target: target, HTML: c.pending[target]})
	}
	c.order, c.pending = nil, nil
	return u, c.stale, c.over
}
