// Package live brings changes to open pages: notifications of the database
// come in on one connection, server-sent events go out to browsers. It knows
// topics and bytes; what a page shows is rendered by a function it is given,
// once per change and audience. A browser that is slow or comes back gets the
// page's present state, never a silent gap.
package live

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Channel is the channel of the database on which changes are announced; the
// payload is a topic, "rollout:17".
const Channel = "wavekeeper"

// Fragment is one part of a page.
type Fragment struct {
	Target string // CSS selector of what it takes the place of
	HTML   []byte
}

// Update is what a page shows at one moment. ID becomes the event's id; empty
// for pages without numbered events.
type Update struct {
	ID        string
	Fragments []Fragment
}

// ErrOver is returned by a render function when its audience may not look any
// more: its streams end.
var ErrOver = errors.New("the audience may not look any more")

// Render renders a page for an audience.
type Render func(ctx context.Context) (Update, error)

// Page is what a stream shows.
type Page struct {
	Key      string   // of page and audience: streams with the same key share what is rendered
	Topics   []string // on which changes the page is rendered again; "rollout:*" is every rollout
	Render   Render
	Patience time.Duration // the longest time without a rendering, for texts that grow old; 0 = 20 s
}

// Hub shares out changes to the pages that are open.
type Hub struct {
	url  string
	log  *slog.Logger
	mu   sync.Mutex
	open map[string]*group
	deaf bool          // the connection that listens is lost: changes are not heard of
	done chan struct{} // closed when Run ends
	once sync.Once
}

// New makes a hub that will listen at the database with the URL.
func New(url string, log *slog.Logger) *Hub {
	return &Hub{url: url, log: log, open: map[string]*group{}, done: make(chan struct{})}
}

// Ring renders again what shows the topic.
func (h *Hub) Ring(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.open {
		if g.shows(topic) {
			g.ring()
		}
	}
}

// hears says whether changes are announced to the hub. While they are not,
// every open page is told that it grows stale.
func (h *Hub) hears(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = !yes
	for _, g := range h.open {
		if yes {
			g.ring() // nobody knows what was missed
			continue
		}
		for c := range g.clients {
			c.stale = true
			c.signal()
		}
	}
}

// Streams returns how many streams are open.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, g := range h.open {
		n += len(g.clients)
	}
	return n
}

func (h *Hub) join(p Page) (*group, *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g, ok := h.open[p.Key]
	if !ok {
		g = newGroup(h, p)
		h.open[p.Key] = g
		go g.run()
	}
	c := &client{behind: true, stale: h.deaf, wake: make(chan struct{}, 1)}
	g.clients[c] = true
	g.ring()
	return g, c
}

func (h *Hub) leave(g *group, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(g.clients, c)
	if len(g.clients) == 0 && h.open[g.page.Key] == g {
		delete(h.open, g.page.Key)
		close(g.empty)
	}
}

func matches(pattern, topic string) bool {
	if prefix, all := strings.CutSuffix(pattern, "*"); all {
		return strings.HasPrefix(topic, prefix)
	}
	return pattern == topic
}
