package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

const mostTurns = 8 // decisions that follow from each other in one transaction

// Decide is rollout.Next: the one place that says what may happen.
type Decide func(rollout.Snapshot, time.Time) []rollout.Action

// Advance moves a rollout on in one transaction: its row is locked, the
// snapshot is loaded, decide is asked, and what it wants is written with its
// events and follow-up jobs. Floor, order and limits look at servers of other
// rollouts, too, so that over all rollouts one decides at a time. A request of
// an older generation does nothing.
func (s *Store) Advance(ctx context.Context, a Advance, decide Decide, books rollout.Books) error {
	err := s.inTx(ctx, func(t *txn) error {
		row, err := t.q.LockRollout(ctx, a.Rollout)
		if err != nil {
			return missing(err, "There is no such rollout.")
		}
		if row.Generation != a.Generation {
			return errRollBack
		}
		if err := t.q.LockFleet(ctx); err != nil {
			return fmt.Errorf("wait for other decisions: %w", err)
		}
		for range mostTurns {
			now, err := t.q.DatabaseTime(ctx)
			if err != nil {
				return fmt.Errorf("ask the time: %w", err)
			}
			v, err := t.loadView(ctx, a.Rollout, now, books)
			if err != nil {
				return err
			}
			actions := decide(v.snapshot, now)
			if len(actions) == 0 {
				break
			}
			for _, action := range actions {
				if err := t.apply(ctx, v, action, books); err != nil {
					return fmt.Errorf("%s %s: %w", action.Kind, action.Server, err)
				}
			}
			if err := t.ring(ctx, "rollout", a.Rollout); err != nil {
				return err
			}
		}
		return t.q.PutOffRollout(ctx, db.PutOffRolloutParams{PauseSeconds: s.lookAgain().Seconds(), ID: a.Rollout})
	})
	if err != nil && !errors.Is(err, errRollBack) {
		return fmt.Errorf("advance rollout %d: %w", a.Rollout, err)
	}
	return nil
}

// apply writes one action: a guarded update by the state tables, its event and
// its job.
func (t *txn) apply(ctx context.Context, v *view, action rollout.Action, books rollout.Books) error {
	switch action.Kind {
	case rollout.DoRunRollout:
		return t.applyRollout(ctx, v, rollout.RunRollout, action)
	case rollout.DoFinishRollout:
		return t.applyRollout(ctx, v, rollout.FinishRollout, action)
	case rollout.DoOpenWave:
		return t.applyWave(ctx, v, rollout.OpenWave, action)
	case rollout.DoStopWave:
		return t.applyWave(ctx, v, rollout.StopWave, action)
	case rollout.DoFinishWave:
		return t.applyWave(ctx, v, rollout.FinishWave, action)
	case rollout.DoStart:
		return t.applyStart(ctx, v, action, books)
	case rollout.DoHold:
		return t.applyHold(ctx, v, action)
	case rollout.DoRefresh:
		return t.applyRefresh(ctx, action)
	}
	return errors.New("an action that is not known")
}

func (t *txn) applyRollout(ctx context.Context, v *view, event rollout.RolloutEvent, action rollout.Action) error {
	if err := t.moveRollout(ctx, v.rollout, event, "", ""); err != nil {
		return err
	}
	return t.appendEvent(ctx, Event{Rollout: v.rollout, Kind: EventRollout, Text: action.Text, Data: map[string]any{"event": string(event)}})
}

func (t *txn) applyWave(ctx context.Context, v *view, event rollout.WaveEvent, action rollout.Action) error {
	w, ok := v.waves[action.Wave]
	if !ok {
		return fmt.Errorf("wave %d is not in the rollout", action.Wave)
	}
	to, err := rollout.WaveTable.After(rollout.WaveState(w.State), event)
	if err != nil {
		return err
	}
	if err := t.moveWave(ctx, db.WaveByIDRow{ID: w.ID, RolloutID: v.rollout, Number: w.Number, State: w.State}, event, action.Text); err != nil {
		return err
	}
	w.State = string(to) // one that opens may be stopped by its threshold at once
	v.waves[action.Wave] = w
	return t.appendEvent(ctx, Event{Rollout: v.rollout, Kind: EventWave, Wave: action.Wave, Text: action.Text, Data: map[string]any{"event": string(event)}})
}

// applyStart begins an attempt. The server's rows are held and the approval's
// digest is compared with them once more in this transaction; what does not
// match never gets here, and is refused if it does.
func (t *txn) applyStart(ctx context.Context, v *view, action rollout.Action, books rollout.Books) error {
	u, ok := v.upgrades[action.Server]
	if !ok {
		return fmt.Errorf("%s is not in the rollout", action.Server)
	}
	busy, err := t.q.ServerInWork(ctx, db.ServerInWorkParams{ServerID: u.ServerID, UpgradeID: u.ID})
	if err != nil {
		return fmt.Errorf("look for other work: %w", err)
	}
	if busy {
		return rollout.Conflict("%s is in work in another rollout", action.Server)
	}
	if err := t.q.FreezeServer(ctx, u.ServerID); err != nil {
		return fmt.Errorf("freeze server: %w", err)
	}
	fits, err := t.matchApprovals(ctx, v.row, books, u.ServerID)
	if err != nil {
		return err
	}
	if fits[action.Server].match != rollout.ApprovalMatching {
		return rollout.Conflict("%s has no approval that matches", action.Server)
	}
	if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Start); err != nil {
		return err
	}
	book, err := bookOf(books, u.Runbook)
	if err != nil {
		return err
	}
	step := u.Step
	if step == "" {
		step = book.Steps[0].Name
	}
	generation, err := t.q.StartUpgrade(ctx, db.StartUpgradeParams{Step: step, Percent: 0, ID: u.ID, FromState: u.State})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	n, err := t.q.BeginStep(ctx, db.BeginStepParams{UpgradeID: u.ID, Name: step})
	if err != nil {
		return fmt.Errorf("begin step %s: %w", step, err)
	}
	if n == 0 {
		return rollout.Conflict("step %s of %s does not wait", step, action.Server)
	}
	if err := t.s.insertJobs(ctx, t.tx, Tick{Upgrade: u.ID, Generation: generation}); err != nil {
		return err
	}
	if err := t.ring(ctx, "upgrade", u.ID); err != nil {
		return err
	}
	return t.appendEvent(ctx, Event{
		Rollout: v.rollout, Kind: EventUpgrade, Wave: action.Wave, Server: action.Server, Step: step, Text: action.Text,
		Data: map[string]any{"upgrade": u.ID, "state": string(rollout.Running)},
	})
}

func (t *txn) applyHold(ctx context.Context, v *view, action rollout.Action) error {
	u, ok := v.upgrades[action.Server]
	if !ok {
		return fmt.Errorf("%s is not in the rollout", action.Server)
	}
	to, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Hold)
	if err != nil {
		return err
	}
	reasons, err := json.Marshal(action.Reasons)
	if err != nil {
		return fmt.Errorf("encode reasons: %w", err)
	}
	n, err := t.q.HoldUpgrade(ctx, db.HoldUpgradeParams{ToState: string(to), Reasons: reasons, ID: u.ID, FromState: u.State})
	if err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if n == 0 {
		return rollout.Conflict("%s moved on meanwhile", action.Server)
	}
	return t.appendEvent(ctx, Event{
		Rollout: v.rollout, Kind: EventHeld, Wave: action.Wave, Server: action.Server, Text: action.Text, Data: map[string]any{"upgrade": u.ID},
	})
}

// applyRefresh asks the server's hosts for their facts; a probe asks for an
// advance when it has them.
func (t *txn) applyRefresh(ctx context.Context, action rollout.Action) error {
	hosts, err := t.q.AskHosts(ctx, action.Server)
	if err != nil {
		return fmt.Errorf("ask hosts: %w", err)
	}
	jobs := make([]river.JobArgs, 0, len(hosts))
	for _, h := range hosts {
		jobs = append(jobs, Probe{Host: h})
	}
	return t.s.insertJobs(ctx, t.tx, jobs...)
}
