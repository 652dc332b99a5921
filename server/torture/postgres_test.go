//go:build !race

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/migrations"
	"wavekeeper/server/localpg"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// postgres is a Postgres of a test's own, which it may hurt.
type postgres struct {
	storetest.DB
	server *localpg.Server
}

// starting lets one be initialised at a time: together they are slow.
var starting sync.Mutex

// ownPostgres starts one in dir ("" = a new folder). What is committed survives
// a crash of its processes: the disk is not waited for, the kernel is.
func ownPostgres(t testing.TB, dir string) *postgres {
	t.Helper()
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "wk-torture-")
		must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	starting.Lock()
	defer starting.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := localpg.Start(ctx, localpg.Options{Dir: dir, Settings: []string{
		"fsync=off", "shared_buffers=32MB", "max_wal_size=48MB", "min_wal_size=32MB", "restart_after_crash=on",
	}})
	must(t, err)
	t.Cleanup(server.Stop)
	_, err = store.Migrate(ctx, server.OwnerURL(), localpg.AppRole, migrations.FS)
	must(t, err)
	p := &postgres{server: server, DB: storetest.DB{URL: server.AppURL(), OwnerURL: server.OwnerURL(), AdminURL: server.AdminURL(localpg.Database)}}
	p.Store, err = store.Open(ctx, p.URL)
	must(t, err)
	t.Cleanup(p.Store.Close)
	return p
}

// signal sends a signal to the postmaster: SIGINT is a fast shutdown, SIGQUIT
// an immediate one, SIGKILL a crash. It is started again by itself.
func (p *postgres) signal(s syscall.Signal) error {
	pid := p.server.Pid()
	if pid == 0 {
		return nil // it is down already
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Signal(s)
}

// asSuperuser runs a statement, on a connection of its own.
func asSuperuser(ctx context.Context, d storetest.DB, statement string, args ...any) (int64, error) {
	conn, err := pgx.Connect(ctx, d.AdminURL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	tag, err := conn.Exec(ctx, statement, args...)
	return tag.RowsAffected(), err
}

// harm is one way to take the database away for a moment.
type harm struct {
	name  string
	apply func(t *testing.T, p *postgres) error
	pause time.Duration // at least so long before the next
	own   bool          // needs a Postgres of its own
}

var harms = []harm{
	{"Postgres restarted, fast", func(_ *testing.T, p *postgres) error { return p.signal(syscall.SIGINT) }, 3 * time.Second, true},
	{"Postgres restarted, immediate", func(_ *testing.T, p *postgres) error { return p.signal(syscall.SIGQUIT) }, 3 * time.Second, true},
	{"Postgres killed", func(_ *testing.T, p *postgres) error { return p.signal(syscall.SIGKILL) }, 3 * time.Second, true},
	{"all connections cut", func(t *testing.T, p *postgres) error { return cut(t, p, "true") }, 300 * time.Millisecond, false},
	{"the LISTEN connections cut", func(t *testing.T, p *postgres) error {
		return cut(t, p, "query ILIKE 'listen%' OR query ILIKE '%unlisten%'")
	}, 300 * time.Millisecond, false},
}

// cut ends the program's backends for which the condition holds.
func cut(t *testing.T, p *postgres, condition string) error {
	_, err := asSuperuser(t.Context(), p.DB, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = $1 AND (`+condition+`)`, localpg.AppRole)
	return err
}

// TestPostgresHarmed takes the database away in every way, again and again,
// while a rollout runs: it comes to the same end.
func TestPostgresHarmed(t *testing.T) {
	t.Parallel()
	random := chance(t)
	list, most := harms, 6**roundsFlag
	if !*fullFlag {
		list, most = []harm{harms[random.IntN(3)], harms[3]}, 2
	}
	for i, h := range list {
		net := fmt.Sprintf("127.107.%d", 10+i)
		seed := random.Uint64()
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			for n := 0; n < most; {
				t.Run("rollout", func(t *testing.T) { n += harmThrough(t, rand.New(rand.NewPCG(seed, uint64(n))), h, net, most-n) })
				if t.Failed() {
					return
				}
			}
		})
	}
}

// harmThrough is one rollout under harm; it returns how often harm was done.
func harmThrough(t *testing.T, random *rand.Rand, h harm, net string, most int) int {
	var p *postgres
	if h.own {
		p = ownPostgres(t, "")
	} else {
		p = &postgres{DB: storetest.New(t)}
	}
	a := newArena(t, fleet4(net), packed, func(o *arenaOptions) { o.DB = &p.DB })
	a.approveAll(t)
	a.coordinator(t)
	a.coordinator(t)
	done := 0
	a.untilDone(t, func() {
		pause := time.NewTimer(h.pause + time.Duration(random.IntN(1500))*time.Millisecond)
		defer pause.Stop()
		<-pause.C
		if done < most {
			if err := h.apply(t, p); err != nil {
				t.Logf("%s: %v", h.name, err) // it is away already
				return
			}
			done++
		}
	})
	a.check(t)
	ledger.injected(h.name, done)
	return max(done, 1)
}

// untilDone does something again and again until the rollout is done.
func (a *arena) untilDone(t *testing.T, again func()) {
	t.Helper()
	end := time.Now().Add(rolloutWithin)
	for {
		v, err := a.Store.Rollout(t.Context(), a.rollout)
		if err == nil && isDone(v) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not done within %s: %v", rolloutWithin, err)
		}
		again()
	}
}
