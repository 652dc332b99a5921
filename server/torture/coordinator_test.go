//go:build !race

package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/jobs"
	"wavekeeper/server/secret"
	"wavekeeper/server/store"
)

// childVariable carries a child's orders as JSON.
const childVariable = "WAVEKEEPER_TORTURE_COORDINATOR"

// orders are what a coordinator process is told.
type orders struct {
	URL     string
	KeyFile string
	Pace    float64
	Lease   time.Duration
	Workers int
	Skew    time.Duration // its clock is off by so much
	Trap    trap
	Hard    map[string]time.Duration // of steps: other hard limits than the runbook's
	Media   string                   // URL of the console's listener; "" = there is none
}

// tableOf is the runbook with other hard limits for some steps: those of hours
// never pass in a test.
func tableOf(hard map[string]time.Duration) runbook.Table {
	table := runbook.Standalone()
	for i, step := range table.Steps {
		if limit := hard[step.Name]; limit > 0 {
			table.Steps[i].Hard = limit
		}
	}
	return table
}

// coordinate is the child's main: store, engine, nothing else. It ends when its
// standard input does, so that it never outlives the test.
func coordinate(raw string) error {
	var o orders
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		return err
	}
	tracer, err := newTracer(o.Trap)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := openPatiently(ctx, o, tracer)
	if err != nil {
		return err
	}
	defer s.Close()
	keys, err := secret.Load(o.KeyFile)
	if err != nil {
		return err
	}
	var fetched jobs.Media
	if o.Media != "" {
		fetched = jobs.Media{URL: o.Media, Secret: keys.Derive}
	}
	engine, err := jobs.New(jobs.Options{
		Media: fetched,
		Store: s, Keys: keys, Table: tableOf(o.Hard), Pace: o.Pace, Workers: o.Workers,
		Now: jumpingClock(o.Skew),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	if err := engine.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	stopping, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return engine.Stop(stopping)
}

// A clock that a test sets: hours ahead, hours back.
const (
	clockAhead = syscall.SIGUSR1
	clockBack  = syscall.SIGUSR2
	jumpLasts  = 300 * time.Millisecond // then every lease in use was taken by the new clock
)

// jumpingClock is the process's clock, which signals set.
func jumpingClock(skew time.Duration) func() time.Time {
	var off atomic.Int64
	off.Store(int64(skew))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, clockAhead, clockBack)
	go func() {
		for s := range signals {
			hours := 3 * time.Hour
			if s == clockBack {
				hours = -hours
			}
			off.Store(int64(skew + hours))
			<-time.After(jumpLasts)
			off.Store(int64(skew))
		}
	}()
	return func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
}

// openPatiently waits for a database that is away, as a service manager would
// start the program again and again.
func openPatiently(ctx context.Context, o orders, tracer *tracer) (*store.Store, error) {
	deadline := time.Now().Add(time.Minute)
	for {
		s, err := store.Open(ctx, o.URL, store.WithLease(o.Lease), store.WithPool(func(c *pgxpool.Config) {
			c.ConnConfig.Tracer = tracer
			// In proportion to the lease, as all times are.
			c.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint((2 * o.Lease).Milliseconds())
		}))
		if err == nil || time.Now().After(deadline) {
			return s, err
		}
		<-time.After(100 * time.Millisecond)
	}
}

// coordinator is a coordinator process as a test holds it.
type coordinator struct {
	cmd  *exec.Cmd
	in   io.Closer
	log  string
	died chan struct{} // closed when it has ended, by whatever

	mu   sync.Mutex
	when time.Time // of its kill
}

// coordinator starts a coordinator process. It ends with the test.
func (a *arena) coordinator(t testing.TB, change ...func(*orders)) *coordinator {
	t.Helper()
	o := orders{URL: a.URL, KeyFile: a.keyFile, Pace: a.options.Pace, Lease: a.options.Lease, Workers: a.options.Workers, Hard: a.options.Hard, Media: a.mediaURL}
	for _, one := range change {
		one(&o)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.started++
	log := filepath.Join(a.dir, fmt.Sprintf("coordinator-%d.log", a.started))
	a.logs = append(a.logs, log)
	a.mu.Unlock()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := &coordinator{cmd: exec.Command(self), log: log, died: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	c.cmd.Stdout, c.cmd.Stderr = out, out
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		// "signal: killed" is what tests do to it.
		_ = c.cmd.Wait()
		close(c.died)
	}()
	t.Cleanup(c.kill)
	return c
}

// kill ends the process by SIGKILL and waits until it is gone.
func (c *coordinator) kill() {
	c.mu.Lock()
	if c.when.IsZero() {
		c.when = time.Now()
	}
	c.mu.Unlock()
	_ = c.cmd.Process.Kill() // it may have ended already
	<-c.died
}

// stop lets it come to its end, as SIGTERM does to the program.
func (c *coordinator) stop() {
	_ = c.in.Close() // it may have ended already
	select {
	case <-c.died:
	case <-time.After(20 * time.Second):
		c.kill()
	}
}

// pause freezes the process; cont wakes it up.
func (c *coordinator) pause() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }
func (c *coordinator) cont() error  { return c.cmd.Process.Signal(syscall.SIGCONT) }

// dead reports whether the process has ended.
func (c *coordinator) dead() bool {
	select {
	case <-c.died:
		return true
	default:
		return false
	}
}

// said returns what the process has logged so far.
func (c *coordinator) said(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// tailOf is the end of a log, for a test that failed.
func tailOf(path string, lines int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
