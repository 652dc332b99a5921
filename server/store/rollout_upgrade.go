package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// RetryUpgrade gives a failed, interrupted or unknown upgrade a new attempt. It
// waits for Next like a first start, so that limits, floor, order and approval
// hold again, and goes on at the step that rollout.RetryFrom names. A wave that
// its threshold stopped is resumed; Next stops it again if others still fail.
func (s *Store) RetryUpgrade(ctx context.Context, actor Actor, upgrade int64, reason string, books rollout.Books) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		u, w, err := t.lockUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		if stopped(u) {
			return errEnded()
		}
		if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Retry); err != nil {
			return err
		}
		if err := t.takeServer(ctx, u); err != nil { // while it waits it may count as in work, in one rollout only
			return err
		}
		book, err := bookOf(books, u.Runbook)
		if err != nil {
			return err
		}
		from := rollout.RetryFrom(book, u.Step)
		attempt, err := t.renewFrom(ctx, upgrade, from)
		if err != nil {
			return err
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
			Detail: map[string]any{"upgrade": upgrade, "from": from, "attempt": attempt, "state": u.State},
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

// Skip is how a person leaves a server out.
type Skip struct {
	Reason string
	// LeaveAsIs takes on what could not be put back: it stays on the host as it
	// is. It is possible only after the steps that put back were tried and failed, or
	// while they are tried on a host that is silent for SilentFor.
	LeaveAsIs bool
}

// SkipUpgrade decides that a server is not upgraded in this rollout. It never
// satisfies what waits for it. What has begun is unwound first: it is skipped
// once what it changed is put back, and failed when that does not succeed. This
// is possible in a stopped rollout, too.
func (s *Store) SkipUpgrade(ctx context.Context, actor Actor, upgrade int64, skip Skip, books rollout.Books) error {
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if strings.TrimSpace(skip.Reason) == "" {
			return rollout.Invalid("Say why the server is skipped: the reason is kept on record.")
		}
		u, _, err := t.lockUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		if stopped(u) && u.StartedAt == nil {
			return errEnded()
		}
		book, err := bookOf(books, u.Runbook)
		if err != nil {
			return err
		}
		done, err := t.unwound(ctx, upgrade, u, book)
		if err != nil {
			return err
		}
		switch {
		case done:
			return t.skip(ctx, actor, upgrade, u, skip.Reason, nil)
		case skip.LeaveAsIs:
			return t.leaveAsIs(ctx, actor, upgrade, u, skip.Reason, book)
		}
		return t.giveUp(ctx, actor, upgrade, u, skip.Reason, book)
	})
	if err != nil {
		return fmt.Errorf("skip upgrade %d: %w", upgrade, err)
	}
	return nil
}

// unwound reports whether an upgrade left nothing on its hosts: it never began,
// or its last attempt put back all that it changed and tidied up.
func (t *txn) unwound(ctx context.Context, upgrade int64, u db.UpgradeByIDRow, book rollout.Runbook) (bool, error) {
	if u.StartedAt == nil {
		return true, nil
	}
	if u.State != string(rollout.Failed) {
		return false, nil
	}
	open, err := t.q.OpenLedger(ctx, upgrade)
	if err != nil || len(open) > 0 {
		return false, err
	}
	return t.putBack(ctx, upgrade, book, rollout.Done)
}

// putBack reports whether every step that puts back is in the state.
func (t *txn) putBack(ctx context.Context, upgrade int64, book rollout.Runbook, state ...rollout.State) (bool, error) {
	steps, err := t.q.StepsOfUpgrade(ctx, upgrade)
	if err != nil {
		return false, fmt.Errorf("load steps: %w", err)
	}
	for _, st := range steps {
		row := slices.IndexFunc(book.Steps, func(s rollout.Step) bool { return s.Name == st.Name })
		if row >= 0 && book.Steps[row].PutBack && !slices.Contains(state, rollout.State(st.State)) {
			return false, nil
		}
	}
	return true, nil
}

// skip ends an upgrade that left nothing, or whose rest a person took on.
func (t *txn) skip(ctx context.Context, actor Actor, upgrade int64, u db.UpgradeByIDRow, reason string, left []string) error {
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
	detail, what := map[string]any{"upgrade": upgrade, "state": u.State}, "upgrade.skip"
	if left != nil { // a person took on what could not be put back
		detail["left"], what = left, "upgrade.leave"
	}
	if u.StartedAt != nil {
		if err := t.askSweep(ctx, u.ServerID); err != nil {
			return err
		}
	}
	t.record(actor, Record{What: what, Subject: u.Server, Rollout: u.RolloutID, Reason: reason, Detail: detail})
	return t.decided(ctx, u, upgrade, Event{Kind: EventSkip, Text: sentence(actor.Name+" skipped "+u.Server, reason)})
}

// leaveAsIs closes what could not be put back as a deviation that a person took
// on by name.
func (t *txn) leaveAsIs(ctx context.Context, actor Actor, upgrade int64, u db.UpgradeByIDRow, reason string, book rollout.Runbook) error {
	if u.State == string(rollout.Running) {
		return t.leaveSilent(ctx, actor, upgrade, u, reason)
	}
	tried, err := t.putBack(ctx, upgrade, book, rollout.Done, rollout.Failed)
	if err != nil {
		return err
	}
	if u.State != string(rollout.Failed) || !tried {
		return rollout.Conflict("What was changed on %s can be left as it is only after putting it back failed.", u.Server)
	}
	left, err := t.acceptLedger(ctx, actor, upgrade, u, reason)
	if err != nil {
		return err
	}
	return t.skip(ctx, actor, upgrade, u, reason, left)
}

// acceptLedger closes the open entries of an upgrade as deviations by name, and
// returns what they are of.
func (t *txn) acceptLedger(ctx context.Context, actor Actor, upgrade int64, u db.UpgradeByIDRow, reason string) ([]string, error) {
	rows, err := t.q.AcceptLedger(ctx, db.AcceptLedgerParams{Deviation: sentence("left as it is by "+actor.Name, reason), UpgradeID: upgrade})
	if err != nil {
		return nil, fmt.Errorf("close the ledger: %w", err)
	}
	left := []string{}
	for _, row := range rows {
		left = append(left, row.Kind+" "+row.Name)
		if err := t.appendEvent(ctx, Event{
			Rollout: u.RolloutID, Kind: EventRestored, Wave: u.Wave, Server: u.Server,
			Text: fmt.Sprintf("%s left %s %s as it is", actor.Name, row.Kind, row.Name),
			Data: map[string]any{"kind": row.Kind, "name": row.Name, "deviation": "left as it is by " + actor.Name},
		}); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// giveUp begins the steps that put back; their end is the upgrade's.
func (t *txn) giveUp(ctx context.Context, actor Actor, upgrade int64, u db.UpgradeByIDRow, reason string, book rollout.Runbook) error {
	if _, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.GiveUp); err != nil {
		return err
	}
	step, ok := book.FirstPutBack()
	if !ok {
		return rollout.Conflict("The runbook has no step that puts back what was changed.")
	}
	if err := t.takeServer(ctx, u); err != nil {
		return err
	}
	if _, err := t.renewFrom(ctx, upgrade, step); err != nil {
		return err
	}
	generation, err := t.q.GiveUpUpgrade(ctx, db.GiveUpUpgradeParams{Step: step, Message: "Skipped: " + reason, ID: upgrade, FromState: u.State})
	if err != nil {
		return fmt.Errorf("give up: %w", err)
	}
	n, err := t.q.BeginStep(ctx, db.BeginStepParams{UpgradeID: upgrade, Name: step})
	if err != nil {
		return fmt.Errorf("begin step %s: %w", step, err)
	}
	if n == 0 {
		return rollout.Conflict("The upgrade moved on meanwhile.")
	}
	if err := t.s.insertJobs(ctx, t.tx, Tick{Upgrade: upgrade, Generation: generation}); err != nil {
		return err
	}
	t.record(actor, Record{
		What: "upgrade.skip", Subject: u.Server, Rollout: u.RolloutID, Reason: reason,
		Detail: map[string]any{"upgrade": upgrade, "state": u.State, "from": step},
	})
	return t.decided(ctx, u, upgrade, Event{
		Kind: EventSkip, Step: step,
		Text: sentence(fmt.Sprintf("%s skips %s once what was changed on it is put back", actor.Name, u.Server), reason),
	})
}

// renewFrom begins a new attempt at the step and returns its number.
func (t *txn) renewFrom(ctx context.Context, upgrade int64, from string) (int, error) {
	steps, err := t.q.StepsOfUpgrade(ctx, upgrade)
	if err != nil {
		return 0, fmt.Errorf("load steps: %w", err)
	}
	attempt, position := 1, 0
	for _, st := range steps {
		if st.Position >= decisionsFrom {
			continue
		}
		attempt = max(attempt, st.Attempt)
		if st.Name == from {
			position = st.Position
		}
	}
	if position == 0 {
		return 0, rollout.Conflict("The runbook has no step %q to begin again with.", from)
	}
	if err := t.q.RenewSteps(ctx, db.RenewStepsParams{Attempt: attempt + 1, UpgradeID: upgrade, Position: position}); err != nil {
		return 0, fmt.Errorf("renew steps: %w", err)
	}
	return attempt + 1, nil
}

// lockUpgrade locks the rollout, then reads upgrade and wave.
func (t *txn) lockUpgrade(ctx context.Context, upgrade int64) (db.UpgradeByIDRow, db.WaveByIDRow, error) {
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
	return u, w, nil
}

// stopped reports whether nothing starts any more in the upgrade's rollout.
func stopped(u db.UpgradeByIDRow) bool {
	state := rollout.RolloutState(u.RolloutState)
	return state == rollout.RolloutStopped || state == rollout.RolloutDone
}

func errEnded() error {
	return rollout.Conflict("The rollout has ended: nothing starts in it any more.")
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
