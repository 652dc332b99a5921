package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMessageKeepsEveryLineInsideTheEvent(t *testing.T) {
	t.Parallel()
	got := string(Message(Update{ID: "7", Fragments: []Fragment{{Target: "#a", HTML: []byte("<p>one\r\n\r\nid: 9\rdata: x</p>")}}}))
	want := "id: 7\ndata: <hx-partial hx-target=\"#a\" hx-swap=\"outerMorph\">\ndata: <p>one\ndata: id: 9\ndata: data: x</p>\ndata: </hx-partial>\n\n"
	if got != want {
		t.Errorf("Message = %q, want %q", got, want)
	}
}

// page is a page whose one moving part is a number.
func page(n *atomic.Int64, renders *atomic.Int64, over *atomic.Bool) Page {
	return Page{Key: "p", Topics: []string{"rollout:*"}, Render: func(context.Context) (Update, error) {
		if renders != nil {
			renders.Add(1)
		}
		if over != nil && over.Load() {
			return Update{}, ErrOver
		}
		v := n.Load()
		return Update{ID: fmt.Sprint(v), Fragments: []Fragment{
			{Target: "#still", HTML: []byte("still")},
			{Target: "#moves", HTML: fmt.Appendf(nil, "value %d", v)},
		}}, nil
	}}
}

// open opens a stream; next returns its next message, "" when it is over.
func open(t *testing.T, h *Hub, p Page) (next func() string) {
	t.Helper()
	every := openAll(t, h, p)
	return func() string {
		for {
			if text := every(); text == "" || strings.Contains(text, "data:") {
				return text
			}
		}
	}
}

// openAll is open with the named events, which say how the page stands.
func openAll(t *testing.T, h *Hub, p Page) (next func() string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, p); err != nil {
			t.Logf("stream: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return func() string {
		var event []string
		for lines.Scan() {
			if lines.Text() != "" {
				event = append(event, lines.Text())
				continue
			}
			if len(event) > 0 {
				return strings.Join(event, "\n")
			}
		}
		return ""
	}
}

func TestStreamBeginsWithTheWholePageAndGoesOnWithChanges(t *testing.T) {
	t.Parallel()
	h := New("", slog.New(slog.DiscardHandler))
	var n atomic.Int64
	next := open(t, h, page(&n, nil, nil))
	if got := next(); !strings.Contains(got, "#still") || !strings.Contains(got, "value 0") {
		t.Errorf("first event = %q, want the whole page", got)
	}
	n.Store(1)
	h.Ring("rollout:1")
	if got := next(); strings.Contains(got, "#still") || !strings.Contains(got, "value 1") || !strings.Contains(got, "id: 1") {
		t.Errorf("second event = %q, want only what changed, with its number", got)
	}
}

func TestManyChangesAreRenderedAtMostFourTimesASecond(t *testing.T) {
	t.Parallel()
	h := New("", slog.New(slog.DiscardHandler))
	var n, renders atomic.Int64
	next := open(t, h, page(&n, &renders, nil))
	next()
	began := time.Now()
	for time.Since(began) < time.Second {
		n.Add(1)
		h.Ring("rollout:1")
	}
	last := fmt.Sprintf("value %d", n.Load())
	for !strings.Contains(next(), last) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the last value %q never came", last)
		}
	}
	if got := renders.Load(); got > 8 {
		t.Errorf("renderings = %d in about a second, want about 5", got)
	}
}

func TestStreamEndsWhenItsAudienceMayNotLookAnyMore(t *testing.T) {
	t.Parallel()
	h := New("", slog.New(slog.DiscardHandler))
	var n atomic.Int64
	var over atomic.Bool
	next := open(t, h, page(&n, nil, &over))
	next()
	over.Store(true)
	h.Ring("rollout:1")
	if got := next(); got != "" {
		t.Errorf("event after the end = %q, want the stream to be over", got)
	}
	deadline := time.Now().Add(5 * time.Second)
	for h.Streams() > 0 && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
	}
	if got := h.Streams(); got != 0 {
		t.Errorf("open streams = %d, want 0", got)
	}
}

func TestStreamSaysThatItsPageCannotBeRenderedAndRecovers(t *testing.T) {
	t.Parallel()
	h := New("", slog.New(slog.NewTextHandler(t.Output(), nil)))
	var n atomic.Int64
	var away atomic.Bool
	good := page(&n, nil, nil)
	next := openAll(t, h, Page{Key: "p", Topics: good.Topics, Render: func(ctx context.Context) (Update, error) {
		if away.Load() {
			return Update{}, errors.New("the database is away")
		}
		return good.Render(ctx)
	}})
	if next(); !strings.Contains(next(), "value 0") { // "retry" comes first
		t.Fatal("the stream does not begin with the page")
	}
	away.Store(true)
	h.Ring("rollout:1")
	if got := next(); got != "event: stale" {
		t.Errorf("while nothing can be rendered the stream says %q, want stale", got)
	}
	n.Store(1)
	away.Store(false)
	// Nobody rings: it tries again by itself.
	if got := next(); !strings.Contains(got, "value 1") {
		t.Errorf("first event afterwards = %q, want the present value", got)
	}
	if got := next(); got != "event: alive" {
		t.Errorf("then the stream says %q, want alive", got)
	}
}
