package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// Advance is the job that moves one rollout on: load, rollout.Next, save. The
// generation is raised on the rollout's row with every request, so that the
// last request always runs and an older one ends without acting.
type Advance struct {
	Rollout    int64 `json:"rollout"`
	Generation int64 `json:"generation"`
}

// Kind names the job in River's table.
func (Advance) Kind() string { return "advance" }

// Tick is the job that does one bounded action of one upgrade. A tick whose
// generation is not the upgrade row's ends without acting.
type Tick struct {
	Upgrade    int64 `json:"upgrade"`
	Generation int64 `json:"generation"`
}

// Kind names the job in River's table.
func (Tick) Kind() string { return "tick" }

// Probe is the job that asks one host for its facts. It never writes rollout state.
type Probe struct {
	Host int64 `json:"host"`
}

// Kind names the job in River's table.
func (Probe) Kind() string { return "probe" }

// FirstContact is the job that makes a first contact with one host, step by step,
// and asks it about constants. It never writes rollout state.
type FirstContact struct {
	Host int64  `json:"host"`
	By   string `json:"by"` // who asked for it
}

// Kind names the job in River's table.
func (FirstContact) Kind() string { return "first-contact" }

// HostSweep is the job that removes what ended upgrades left on one host. It
// never touches rollout state.
type HostSweep struct {
	Host int64 `json:"host"`
	Wait bool  `json:"wait,omitempty"` // a host that does not answer is asked until it does
}

// Kind names the job in River's table.
func (HostSweep) Kind() string { return "host-sweep" }

// Stage is the job that brings one medium to one host, one bounded action at a
// time. One whose generation is not the staging row's ends without acting.
type Stage struct {
	Staging    int64 `json:"staging"`
	Generation int64 `json:"generation"`
}

// Kind names the job in River's table.
func (Stage) Kind() string { return "stage" }

// RunTick is the job that does one bounded action of one run outside upgrades: a
// check, a fix. One whose generation is not the run's row's ends without acting.
type RunTick struct {
	Run        int64 `json:"run"`
	Generation int64 `json:"generation"`
}

// Kind names the job in River's table.
func (RunTick) Kind() string { return "run" }

// RunQueue is where the jobs of kind run are worked, by few workers of their own:
// a check of the fleet holds up no upgrade.
const RunQueue = "run"

// StageQueue is where the jobs of kind stage are worked, by few workers of their
// own: what is brought ahead holds up no upgrade.
const StageQueue = "media"

// insertJobs puts jobs into River's table inside the transaction: they exist
// when the state that asks for them exists.
func (s *Store) insertJobs(ctx context.Context, tx pgx.Tx, jobs ...river.JobArgs) error {
	for _, args := range jobs {
		opts := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
		switch args.(type) {
		case Probe, FirstContact, HostSweep:
			opts = nil // they may be asked for again
		case Stage:
			opts.Queue = StageQueue
		case RunTick:
			opts.Queue = RunQueue
		}
		if _, err := s.river.InsertTx(ctx, tx, args, opts); err != nil {
			return fmt.Errorf("insert %s job: %w", args.Kind(), err)
		}
	}
	return nil
}
