// Package storetest gives tests a migrated private database each, on a real
// Postgres. Only tests import it.
package storetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/localpg"
	"wavekeeper/server/store"
)

// DB is one test's database.
type DB struct {
	Store    *store.Store // connected as the program's role
	URL      string       // the program's role
	OwnerURL string       // the owner's role
	AdminURL string       // the superuser
}

var shared struct {
	once   sync.Once
	dir    string
	server *localpg.Server
	err    error
	count  atomic.Int64
	create sync.Mutex
}

// Main runs a package's tests and afterwards stops the Postgres that they
// started and removes its folder:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		shared.server.Stop()
	}
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "storetest:", err)
		}
	}
	return code
}

// New returns a migrated database that belongs to this test alone. The
// package's Postgres is started by the first caller.
func New(t testing.TB, with ...store.Option) DB {
	t.Helper()
	d := database(t, " TEMPLATE "+template)
	var err error
	d.Store, err = store.Open(t.Context(), d.URL, with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Store.Close)
	return d
}

// Empty returns a database that belongs to this test alone and that nothing was
// migrated in; its Store is nil.
func Empty(t testing.TB) DB {
	t.Helper()
	return database(t, "")
}

func database(t testing.TB, from string) DB {
	t.Helper()
	server := Server(t)
	name := fmt.Sprintf("t_%d", shared.count.Add(1))
	shared.create.Lock()
	err := admin(t.Context(), fmt.Sprintf("CREATE DATABASE %s%s OWNER %s", name, from, localpg.OwnerRole))
	shared.create.Unlock()
	if err != nil {
		t.Fatalf("make the test's database: %v", err)
	}
	return DB{URL: rename(t, server.AppURL(), name), OwnerURL: rename(t, server.OwnerURL(), name), AdminURL: server.AdminURL(name)}
}

// Server returns the package's Postgres; it is started when it is not running.
func Server(t testing.TB) *localpg.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	shared.once.Do(func() { shared.err = start(ctx) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

const template = "wavekeeper_template"

func start(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "wk-pg-")
	if err != nil {
		return err
	}
	shared.dir = dir
	shared.server, err = localpg.Start(ctx, localpg.Options{
		Dir: dir,
		// The folder is thrown away, so nothing needs to reach the disk.
		Settings: []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB"},
	})
	if err != nil {
		return err
	}
	if err := admin(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", template, localpg.OwnerRole)); err != nil {
		return err
	}
	owner, err := renamed(shared.server.OwnerURL(), template)
	if err != nil {
		return err
	}
	_, err = store.Migrate(ctx, owner, localpg.AppRole, migrations.FS)
	return err
}

func admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, shared.server.AdminURL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
