package media_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavekeeper/server/media"
)

// slowGrants counts questions and answers when it is let.
type slowGrants struct {
	asked, now, most atomic.Int64
	let              chan struct{}
}

func (g *slowGrants) Grant(ctx context.Context, _ string) (media.Grant, error) {
	g.asked.Add(1)
	if n := g.now.Add(1); n > g.most.Load() {
		g.most.Store(n)
	}
	defer g.now.Add(-1)
	select {
	case <-g.let:
	case <-ctx.Done():
	}
	return media.Grant{}, media.ErrNoGrant
}

// TestStrangersCostLittle: what has no job asks the database only so often.
func TestStrangersCostLittle(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.139.11", 1000, 1, media.Options{})
	g := &slowGrants{let: make(chan struct{})}
	close(g.let)
	s.grants.in = g
	statuses := map[int]int{}
	for range 100 {
		answer, err := begin(t, "GET", s.url, strings.Repeat("0", 64), nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses[answer.StatusCode]++
		answer.Body.Close()
	}
	if n := g.asked.Load(); n > 40 || statuses[404] < 20 || statuses[503] == 0 {
		t.Errorf("100 wrong tokens cost %d questions and were answered %v", n, statuses)
	}
}

func TestFewQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.139.12", 1000, 1, media.Options{})
	g := &slowGrants{let: make(chan struct{})}
	s.grants.in = g
	var all sync.WaitGroup
	var refused atomic.Int64
	for range 40 {
		all.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
			if err != nil {
				return
			}
			request.Header.Set(media.TokenHeader, strings.Repeat("1", 64))
			answer, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				return
			}
			if answer.Body.Close(); answer.StatusCode == http.StatusServiceUnavailable {
				refused.Add(1)
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); refused.Load() < 32 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	close(g.let)
	all.Wait()
	if g.most.Load() != 8 || refused.Load() != 32 {
		t.Errorf("%d questions at once, %d were told to come later; want 8 and 32", g.most.Load(), refused.Load())
	}
}

// TestConnectionsOfOneAddressAreBounded: open ones that ask nothing keep nobody out.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.139.13", 1000, 1, media.Options{})
	at := strings.TrimPrefix(s.url, "http://")
	at = at[:strings.Index(at, "/")]
	var closed atomic.Int64
	for range 80 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			began := time.Now()
			if _, err := c.Read(make([]byte, 1)); err != nil && time.Since(began) < 3*time.Second { // before the time for headers is over
				closed.Add(1)
			}
		}()
	}
	for deadline := time.Now().Add(3 * time.Second); closed.Load() < 16 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	if n := closed.Load(); n != 16 {
		t.Errorf("of 80 connections %d were closed at once, want 16", n)
	}
}
