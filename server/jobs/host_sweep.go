package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/agentless/runbook"
	"wavekeeper/server/store"
)

const (
	sweptPause   = 15 * time.Second // another worker holds the host
	sweptWithin  = 10 * time.Minute // then the look is given up; the next start asks again
	awaitedPause = 2 * time.Minute  // a host that is waited for did not answer
	awaitedFor   = 90 * 24 * time.Hour
	askingSweeps = 10 * time.Second
)

// hostSweeper works the jobs of kind host-sweep: it removes the tasks and
// folders that ended upgrades left on one host, and never touches rollout state.
type hostSweeper struct {
	river.WorkerDefaults[store.HostSweep]
	engine *Engine
}

// Work looks once. A host that does not answer is looked at again after the
// next start, or after its next upgrade.
func (h *hostSweeper) Work(ctx context.Context, job *river.Job[store.HostSweep]) error {
	ctx = labelled(ctx, "host-sweep", "", "")
	e := h.engine
	lease, taken, err := e.store.AcquireHost(ctx, e.owner, job.Args.Host)
	if err != nil || !taken {
		if time.Since(job.CreatedAt) > sweptWithin && !job.Args.Wait {
			return nil
		}
		return river.JobSnooze(e.paced(sweptPause))
	}
	ctx, end := e.holding(ctx, lease)
	defer end()
	removed, err := e.sweepHost(ctx, job.Args.Host, lease)
	for _, task := range removed {
		e.log.Info("removed a host task that was left", "host", job.Args.Host, "task", task)
	}
	var bar *barred
	if errors.As(err, &bar) && bar.brief { // the secret is tried at another host first
		return river.JobSnooze(e.paced(triedPause))
	}
	if err != nil {
		e.log.Info("host not swept", "host", job.Args.Host, "err", err)
		if job.Args.Wait && time.Since(job.CreatedAt) < awaitedFor {
			return river.JobSnooze(e.paced(awaitedPause))
		}
	}
	return nil
}

func (e *Engine) sweepHost(ctx context.Context, host int64, lease store.Lease) ([]string, error) {
	ctx, _ = e.guarded(ctx, lease)
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	target, err := e.store.ProbeTarget(ctx, host)
	if err != nil {
		return nil, err
	}
	installation, err := e.store.InstallationID(ctx)
	if err != nil {
		return nil, err
	}
	way, err := e.way(ctx, target.Host, target.FQDN, target.Profile)
	if err != nil {
		return nil, err
	}
	defer way.done(ctx)
	removed, err := runbook.Sweep(ctx, way.windows(), installation, func(task string) bool {
		upgrade, ok := upgradeOfTask(installation, task)
		if !ok {
			return !e.stagingEnded(ctx, installation, task) && !e.runEnded(ctx, installation, task)
		}
		may, err := e.store.IntendRemoval(ctx, lease, upgrade, task)
		if err != nil {
			e.log.Warn("removal not recorded, the task stays", "host", host, "task", task, "err", err)
		}
		return !may
	})
	if err != nil {
		return removed, fmt.Errorf("%s", secrets{way.password}.redact(err.Error()))
	}
	return removed, nil
}

// stagingEnded reports whether a task is one of bringing media to the host whose
// staging has ended: nothing is to be put back of it.
func (e *Engine) stagingEnded(ctx context.Context, installation, task string) bool {
	rest, ours := strings.CutPrefix(task, "wk-"+installation+"-s")
	digits, _, whole := strings.Cut(rest, "-")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ours || !whole {
		return false
	}
	g, err := e.store.StagingByID(ctx, id)
	return err == nil && !g.Open()
}

// runEnded reports whether a task is one of a run outside upgrades that has ended.
func (e *Engine) runEnded(ctx context.Context, installation, task string) bool {
	rest, ours := strings.CutPrefix(task, "wk-"+installation+"-r")
	digits, _, whole := strings.Cut(rest, "-")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ours || !whole {
		return false
	}
	r, err := e.store.RunByID(ctx, id)
	return err == nil && !r.Open()
}

// upgradeOfTask reads the upgrade from a host task's name, wk-INSTALLATION-uN-.
func upgradeOfTask(installation, task string) (int64, bool) {
	rest, ours := strings.CutPrefix(task, "wk-"+installation+"-u")
	digits, _, whole := strings.Cut(rest, "-")
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, ours && whole && err == nil
}

// askHostSweeps asks for a look at the hosts of recent rollouts, once in a
// process.
func (e *Engine) askHostSweeps(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askingSweeps)
	defer cancel()
	if _, err := e.store.AskHostSweeps(ctx); err != nil && ctx.Err() == nil {
		e.log.Warn("hosts are not swept", "err", err)
	}
}
