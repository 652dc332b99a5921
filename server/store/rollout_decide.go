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
	err := s.inTxBy(ctx, actor, func(t *txn) error {
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

// ResumeWave lets a wave go on that a person paused or that its threshold
// stopped. What failed until then does not stop it again.
func (s *Store) ResumeWave(ctx context.Context, actor Actor, wave int64, reason string) error {
	return s.decideWave(ctx, actor, wave, rollout.ResumeWave, reason, "resumed")
}

func (s *Store) decideWave(ctx context.Context, actor Actor, wave int64, event rollout.WaveEvent, reason, done string) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
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
		if event == rollout.ResumeWave {
			if err := t.q.AcceptFailures(ctx, wave); err != nil {
				return fmt.Errorf("accept what failed: %w", err)
			}
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
