// Package jobs is what moves rollouts: River's workers advance (load,
// rollout.Next, save), tick (one bounded action on one server), probe and
// host-sweep (what ended upgrades left on a host), and the sweep that picks up what a dead process left. It connects the rules, the
// record and the hosts; it must not know pages or people.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/hook"
	"wavekeeper/server/store"
)

const (
	sweepLimit     = 5 * time.Second
	jobLimit       = 45 * time.Second // above a tick's own limit
	rescueAfter    = 2 * time.Minute  // the sweep is faster; this only tidies River's table
	defaultWorkers = 50
	stagedPart     = 5  // of the workers one in so many brings media ahead of upgrades
	stagedAtOnce   = 50 // hosts that fetch ahead at the same time, where --media-hosts sets no limit
)

// Options are what an Engine needs.
type Options struct {
	Store   *store.Store
	Keys    Opener        // opens stored credentials
	Table   runbook.Table // stands in for the runbook of its name; zero = runbook.ByName has all
	Log     *slog.Logger
	Workers int              // jobs at the same time; 0 = 50
	Now     func() time.Time // this process's clock, by which it knows that a lease may have run out; nil = the clock
	Media   Media            // how hosts fetch media from this program
	Hooks   hook.Dir         // programs that run at points of upgrades; zero = none
	Pace    float64          // divides the pauses between ticks, for hosts whose time runs faster; 0 = 1
}

// Opener opens a sealed credential; profile and purpose are bound into the seal.
type Opener interface {
	Open(sealed []byte, keyID string, profile int64, purpose string) ([]byte, error)
	// Derive makes a key of its own for a purpose.
	Derive(purpose string) []byte
}

// Engine works the jobs of one process. Any number of processes may run one
// against one database, and any of them may be killed.
type Engine struct {
	store    *store.Store
	keys     Opener
	instead  runbook.Table // see Options.Table
	log      *slog.Logger
	now      func() time.Time
	owner    string
	pace     float64
	media    Media
	hooks    hook.Dir
	client   *river.Client[pgx.Tx]
	conns    conns
	accesses accesses

	stopSweep context.CancelFunc
	sweeping  sync.WaitGroup
}

// New makes an engine; nothing runs before Start.
func New(o Options) (*Engine, error) {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pace <= 0 {
		o.Pace = 1
	}
	e := &Engine{
		store: o.Store, keys: o.Keys, instead: o.Table, log: o.Log, now: o.Now,
		owner: uuid.NewString(), pace: o.Pace, media: o.Media, hooks: o.Hooks, conns: conns{by: map[int64]cachedConn{}}, accesses: accesses{by: map[int64]*access{}},
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &advancer{engine: e})
	river.AddWorker(workers, &ticker{engine: e})
	river.AddWorker(workers, &prober{engine: e})
	river.AddWorker(workers, &contacter{engine: e})
	river.AddWorker(workers, &hostSweeper{engine: e})
	river.AddWorker(workers, &stager{engine: e})
	river.AddWorker(workers, &runner{engine: e})
	client, err := river.NewClient(riverpgxv5.New(o.Store.Pool()), &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.Workers}, store.StageQueue: {MaxWorkers: max(2, o.Workers/stagedPart)}, store.RunQueue: {MaxWorkers: max(2, o.Workers/runWorkers)}},
		Workers:                     workers,
		JobTimeout:                  jobLimit,
		RescueStuckJobsAfter:        rescueAfter,
		FetchCooldown:               e.paced(100 * time.Millisecond),
		FetchPollInterval:           e.paced(500 * time.Millisecond),
		CompletedJobRetentionPeriod: time.Hour,
		ReindexerIndexNames:         []string{}, // only the owner of an index may rebuild it, which the program's own role is not
		Logger:                      slog.New(quiet{o.Log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the job client: %w", err)
	}
	e.client = client
	return e, nil
}

// Start begins to work jobs and to sweep. It returns at once.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", err)
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stopSweep = stop
	e.sweeping.Go(func() { e.sweep(sweeping) })
	e.sweeping.Go(func() { e.sweepShells(sweeping) })
	return nil
}

// Stop lets running jobs come to their end, until ctx ends; then they are
// cancelled, and another process goes on with what they left.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopSweep()
	e.sweeping.Wait()
	err := e.client.Stop(ctx)
	if err != nil {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = e.client.StopAndCancel(hard)
	}
	e.conns.close()
	e.accesses.close()
	if err != nil {
		return fmt.Errorf("stop the jobs: %w", err)
	}
	return nil
}

// sweep gives what a dead process left a new tick or advance, every 5 s. Before,
// and once, it asks for a look at the hosts.
func (e *Engine) sweep(ctx context.Context) {
	e.askHostSweeps(ctx)
	every := time.NewTicker(e.store.Beat())
	defer every.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, sweepLimit)
		swept, err := e.store.Sweep(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.log.Warn("sweep came to nothing", "err", err)
		case swept.Upgrades > 0:
			e.log.Info("picked up what was left", "upgrades", swept.Upgrades)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
