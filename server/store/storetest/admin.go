package storetest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Admin runs statements as the superuser in the test's database.
func (d DB) Admin(t testing.TB, statements ...string) {
	t.Helper()
	run(t, d.AdminURL, statements)
}

// Leave takes the database away, as a restart of Postgres does: its connections
// are cut and new ones refused, until the function brings it back.
func (d DB) Leave(t testing.TB) (comes func()) {
	t.Helper()
	address, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	name, beside := strings.Trim(address.Path, "/"), shared.server.AdminURL("postgres")
	run(t, beside, []string{
		"ALTER DATABASE " + name + " ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'",
	})
	return func() {
		t.Helper()
		run(t, beside, []string{"ALTER DATABASE " + name + " ALLOW_CONNECTIONS true"})
	}
}

func run(t testing.TB, address string, statements []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
