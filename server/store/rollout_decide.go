package store

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// PauseRollout lets nothing start any more until it is resumed; what runs
// comes to its end.
func (s *Store) PauseRollout(ctx context.Context, actor Actor, id int64, reason string) error {
	return s.decideRollout(ctx, actor, id, rollout.PauseRollout, reason, "paused")
}

// ResumeRollout lets a paused rollout go on.
func (s *Store) ResumeRollout(ctx context.Context, actor Actor, id int64, reason string) error {
	return s.decideRollout(ctx, actor, id, rollout.ResumeRollout, reason, "resumed")
}

// StopRollout ends a rollout: nothing starts in it ever again; what runs comes
// to its end.
func (s *Store) StopRollout(ctx context.Context, actor Actor, id int64, reason string) error {
	return s.decideRollout(ctx, actor, id, rollout.StopRollout, reason, "stopped")
}

func (s *Store) decideRollout(ctx context.Context, actor Actor, id int64, event rollout.RolloutEvent, reason, done string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" && event != rollout.ResumeRollout {
			return rollout.Invalid("Say why: the reason is kept on record.")
		}
		if err := t.moveRollout(ctx, id, event, actor.Name, reason); err != nil {
			return err
		}
		t.record(actor, Record{What: "rollout." + string(event), Subject: fmt.Sprintf("rollout %d", id), Rollout: id, Reason: reason})
		if err := t.tell(ctx, Event{Rollout: id, Kind: EventRollout, Text: sentence(actor.Name+" "+done+" the rollout", reason)}); err != nil {
			return err
		}
		return t.requestAdvance(ctx, id)
	})
	if err != nil {
		return fmt.Errorf("%s rollout %d: %w", event, id, err)
	}
	return nil
}

// moveRollout locks the rollout's row and moves its state by the table.
func (t *txn) moveRollout(ctx context.Context, id int64, event rollout.RolloutEvent, who, reason string) error {
	row, err := t.q.LockRollout(ctx, id)
	if err != nil {
		return missing(err, "There is no such rollout.")
	}
	to, err := rollout.RolloutTable.After(rollout.RolloutState(row.State), event)
	if err != nil {
		return err
	}
	n, err := t.q.MoveRollout(ctx, db.MoveRolloutParams{ToState: string(to), Who: who, Reason: reason, ID: id, FromState: row.State})
	if err != nil {
		return fmt.Errorf("move rollout %d: %w", id, err)
	}
	if n == 0 {
		return rollout.Conflict("The rollout moved on meanwhile.")
	}
	return nil
}

// PauseWave lets no server of the wave start until it is resumed.
func (s *Store) PauseWave(ctx context.Context, actor Actor, wave int64, reason string) error {
	return s.decideWave(ctx, actor, wave, rollout.PauseWave, reason, "paused")
}

// ResumeWave lets a wave go on that a person paused or that its threshold stopped.
func (s *Store) ResumeWave(ctx context.Context, actor Actor, wave int64, reason string) error {
	return s.decideWave(ctx, actor, wave, rollout.ResumeWave, reason, "resumed")
}

func (s *Store) decideWave(ctx context.Context, actor Actor, wave int64, event rollout.WaveEvent, reason, done string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why: the reason is kept on record.")
		}
		w, err := t.lockWave(ctx, wave)
		if err != nil {
			return err
		}
		if err := t.moveWave(ctx, w, event, reason); err != nil {
			return err
		}
		t.record(actor, Record{
			What: "wave." + string(event), Subject: fmt.Sprintf("rollout %d wave %d", w.RolloutID, w.Number), Rollout: w.RolloutID, Reason: reason,
		})
		if err := t.tell(ctx, Event{
			Rollout: w.RolloutID, Kind: EventWave, Wave: w.Number, Text: sentence(fmt.Sprintf("%s %s wave %d", actor.Name, done, w.Number), reason),
		}); err != nil {
			return err
		}
		return t.requestAdvance(ctx, w.RolloutID)
	})
	if err != nil {
		return fmt.Errorf("%s wave %d: %w", event, wave, err)
	}
	return nil
}

// lockWave locks the wave's rollout and returns the wave as it is under that lock.
func (t *txn) lockWave(ctx context.Context, id int64) (db.WaveByIDRow, error) {
	w, err := t.q.WaveByID(ctx, id)
	if err != nil {
		return w, missing(err, "There is no such wave.")
	}
	if _, err := t.q.LockRollout(ctx, w.RolloutID); err != nil {
		return w, fmt.Errorf("lock rollout %d: %w", w.RolloutID, err)
	}
	w, err = t.q.WaveByID(ctx, id)
	if err != nil {
		return w, missing(err, "There is no such wave.")
	}
	return w, nil
}

func (t *txn) moveWave(ctx context.Context, w db.WaveByIDRow, event rollout.WaveEvent, reason string) error {
	to, err := rollout.WaveTable.After(rollout.WaveState(w.State), event)
	if err != nil {
		return err
	}
	n, err := t.q.MoveWave(ctx, db.MoveWaveParams{ToState: string(to), Reason: reason, ID: w.ID, FromState: w.State})
	if err != nil {
		return fmt.Errorf("move wave %d: %w", w.Number, err)
	}
	if n == 0 {
		return rollout.Conflict("The wave moved on meanwhile.")
	}
	return nil
}

// RetryUpgrade gives a failed, interrupted or unknown upgrade a new attempt. It
// waits for Next like a first start, so that limits, floor, order and approval
// hold again, and goes on at the step that rollout.RetryFrom names. A wave that
// its threshold stopped is resumed; Next stops it again if others still fail.
func (s *Store) RetryUpgrade(ctx context.Context, actor Actor, upgrade int64, reason string, book rollout.Runbook) error {
	err := s.inTx(ctx, func(t *txn) error {
		u, w, err := t.lockUpgradeForDecision(ctx, upgrade)
		if err != nil {
			return err
		}
		if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Retry); err != nil {
			return err
		}
		steps, err := t.q.StepsOfUpgrade(ctx, upgrade)
		if err != nil {
			return fmt.Errorf("load steps: %w", err)
		}
		at := u.Step
		attempt := 1
		for _, st := range steps {
			attempt = max(attempt, st.Attempt)
		}
		from := rollout.RetryFrom(book, at)
		position := 0
		for _, st := range steps {
			if st.Name == from {
				position = st.Position
			}
		}
		if position == 0 {
			return rollout.Conflict("The runbook has no step %q to begin again with.", from)
		}
		if err := t.q.RenewSteps(ctx, db.RenewStepsParams{Attempt: attempt + 1, UpgradeID: upgrade, Position: position}); err != nil {
			return fmt.Errorf("renew steps: %w", err)
		}
		n, err := t.q.RetryUpgrade(ctx, db.RetryUpgradeParams{Step: from, ID: upgrade, FromState: u.State})
		if err != nil {
			return fmt.Errorf("retry: %w", err)
		}
		if n == 0 {
			return rollout.Conflict("The upgrade moved on meanwhile.")
		}
		if rollout.WaveState(w.State) == rollout.WaveStopped {
			if err := t.moveWave(ctx, w, rollout.ResumeWave, reason); err != nil {
				return err
			}
		}
		t.record(actor, Record{
			What: "upgrade.retry", Subject: u.Server, Rollout: u.RolloutID, Reason: reason,
			Detail: map[string]any{"upgrade": upgrade, "from": from, "attempt": attempt + 1, "state": u.State},
		})
		return t.decided(ctx, u, upgrade, Event{
			Kind: EventRetry, Step: from,
			Text: sentence(fmt.Sprintf("%s tries %s again from step %s", actor.Name, u.Server, from), reason),
		})
	})
	if err != nil {
		return fmt.Errorf("retry upgrade %d: %w", upgrade, err)
	}
	return nil
}

// SkipUpgrade decides that a server is not upgraded in this rollout. It never
// satisfies what waits for it.
func (s *Store) SkipUpgrade(ctx context.Context, actor Actor, upgrade int64, reason string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why the server is skipped: the reason is kept on record.")
		}
		u, _, err := t.lockUpgradeForDecision(ctx, upgrade)
		if err != nil {
			return err
		}
		if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Skip); err != nil {
			return err
		}
		n, err := t.q.SkipUpgrade(ctx, db.SkipUpgradeParams{Message: "Skipped: " + reason, ID: upgrade, FromState: u.State})
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		if n == 0 {
			return rollout.Conflict("The upgrade moved on meanwhile.")
		}
		t.record(actor, Record{
			What: "upgrade.skip", Subject: u.Server, Rollout: u.RolloutID, Reason: reason, Detail: map[string]any{"upgrade": upgrade, "state": u.State},
		})
		return t.decided(ctx, u, upgrade, Event{Kind: EventSkip, Text: sentence(actor.Name+" skipped "+u.Server, reason)})
	})
	if err != nil {
		return fmt.Errorf("skip upgrade %d: %w", upgrade, err)
	}
	return nil
}

// lockUpgradeForDecision locks the rollout, then reads upgrade and wave.
func (t *txn) lockUpgradeForDecision(ctx context.Context, upgrade int64) (db.UpgradeByIDRow, db.WaveByIDRow, error) {
	u, err := t.q.UpgradeByID(ctx, upgrade)
	if err != nil {
		return u, db.WaveByIDRow{}, missing(err, "There is no such upgrade.")
	}
	w, err := t.lockWave(ctx, u.WaveID)
	if err != nil {
		return u, w, err
	}
	if u, err = t.q.UpgradeByID(ctx, upgrade); err != nil {
		return u, w, missing(err, "There is no such upgrade.")
	}
	switch rollout.RolloutState(u.RolloutState) {
	case rollout.RolloutStopped, rollout.RolloutDone:
		return u, w, rollout.Conflict("The rollout has ended: nothing starts in it any more.")
	case rollout.RolloutWaiting, rollout.RolloutRunning, rollout.RolloutPaused:
	}
	return u, w, nil
}

func (t *txn) decided(ctx context.Context, u db.UpgradeByIDRow, upgrade int64, e Event) error {
	e.Rollout, e.Wave, e.Server = u.RolloutID, u.Wave, u.Server
	if err := t.tell(ctx, e); err != nil {
		return err
	}
	if err := t.ring(ctx, "upgrade", upgrade); err != nil {
		return err
	}
	return t.requestAdvance(ctx, u.RolloutID)
}

// tell appends the event and rings for its rollout.
func (t *txn) tell(ctx context.Context, e Event) error {
	if err := t.appendEvent(ctx, e); err != nil {
		return err
	}
	return t.ring(ctx, "rollout", e.Rollout)
}

// sentence adds a reason to what was done.
func sentence(what, reason string) string {
	if reason = strings.TrimSpace(reason); reason == "" {
		return what
	}
	return what + ": " + reason
}
