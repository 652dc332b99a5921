package live

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func exec(t *testing.T, url, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

func TestLostConnectionIsMadeAgainAndNothingIsMissed(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	h := New(db.URL, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	var n atomic.Int64
	next := open(t, h, page(&n, nil, nil))
	until := func(text string) {
		t.Helper()
		for {
			got := next()
			if got == "" {
				t.Fatalf("the stream ended before %q", text)
			}
			if strings.Contains(got, text) {
				return
			}
		}
	}
	until("value 0")
	n.Store(1)
	// The hub may not be listening yet: what happened before is found by the
	// rendering that follows LISTEN.
	exec(t, db.URL, "SELECT pg_notify('wavekeeper', 'rollout:1')")
	until("value 1")
	n.Store(2)
	exec(t, db.AdminURL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
	until("value 2")
	n.Store(3)
	exec(t, db.URL, "SELECT pg_notify('wavekeeper', 'rollout:1')")
	until("value 3")
}

func TestStreamsAreStaleWhileNobodyListens(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	h := New(db.URL, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	var n atomic.Int64
	next := openAll(t, h, page(&n, nil, nil))
	until := func(want string) {
		t.Helper()
		for got := next(); !strings.Contains(got, want); got = next() {
			if got == "" {
				t.Fatalf("the stream ended before %q", want)
			}
		}
	}
	until("value 0")
	n.Store(1)
	exec(t, db.URL, "SELECT pg_notify('wavekeeper', 'rollout:1')")
	until("value 1")
	database := strings.Trim(mustParse(t, db.URL).Path, "/")
	elsewhere := mustParse(t, db.AdminURL)
	elsewhere.Path = "/postgres"
	exec(t, elsewhere.String(), "ALTER DATABASE "+database+" ALLOW_CONNECTIONS false")
	exec(t, elsewhere.String(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	until("event: stale")
	n.Store(2)
	exec(t, elsewhere.String(), "ALTER DATABASE "+database+" ALLOW_CONNECTIONS true")
	until("value 2")
	until("event: alive")
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
