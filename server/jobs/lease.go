package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

const goOnFor = 10 * time.Second // actions that may follow at once share one job

// underLease does bounded actions under a lease that was taken, one after the
// other while the next may follow at once; each saves what came of it. more says
// that another job of the same generation comes after the pause.
func (e *Engine) underLease(ctx context.Context, lease store.Lease, once func(context.Context) (time.Duration, bool, error)) (pause time.Duration, more bool, err error) {
	ctx, end := e.holding(ctx, lease)
	defer end()
	for began := time.Now(); ; {
		pause, more, err = once(ctx)
		if err != nil || !more || pause > 0 || time.Since(began) > goOnFor {
			return pause, more, err
		}
	}
}

// holding renews the lease until end, which gives it back. The context ends
// where the lease is lost.
func (e *Engine) holding(ctx context.Context, lease store.Lease) (held context.Context, end func()) {
	held, lost := context.WithCancelCause(ctx)
	go e.keep(held, lease, lost)
	return held, func() {
		lost(nil)
		e.release(ctx, lease)
	}
}

// answer says to River when the next actions come. Nothing is an error to it:
// what went wrong is on a row or in the log, and the sweep picks up what was left.
func (e *Engine) answer(ctx context.Context, job string, of slog.Attr, pause time.Duration, more bool, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		return river.JobSnooze(0) // the program ends; another one goes on
	case err != nil:
		e.log.LogAttrs(ctx, slog.LevelWarn, job+" came to nothing", of, slog.Any("err", err))
		return river.JobSnooze(e.paced(errorPause))
	case more:
		return river.JobSnooze(max(pause, 0))
	}
	return nil
}

// guarded lets nothing be sent to a host once the lease may have run out: a
// process that was frozen must not act on what it found before. kept says that
// something was not sent.
func (e *Engine) guarded(ctx context.Context, lease store.Lease) (guarded context.Context, kept *atomic.Bool) {
	kept = &atomic.Bool{}
	return winrm.WithGuard(ctx, func() error {
		err := lease.Lasts(e.now())
		if err != nil {
			kept.Store(true)
		}
		return err
	}), kept
}

// keep renews the lease while the tick works. A lease that is lost, or that may
// be, ends the tick at once.
func (e *Engine) keep(ctx context.Context, lease store.Lease, lost context.CancelCauseFunc) {
	beat := e.store.Beat()
	every := time.NewTicker(beat)
	defer every.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		began := time.Now()
		attempt, cancel := context.WithTimeout(ctx, beat)
		err := e.store.RenewLease(attempt, lease)
		cancel()
		switch {
		case err == nil:
			renewed = began
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrLeaseLost) || time.Since(renewed) > e.store.Lease()-beat:
			lost(err)
			return
		}
	}
}

func (e *Engine) release(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
	defer cancel()
	if err := e.store.ReleaseLease(ctx, lease); err != nil {
		e.log.Warn("lease not released, it runs out by itself", "upgrade", lease.Upgrade, "err", err)
	}
}
