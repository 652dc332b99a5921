package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// decisionsFrom is the position of the first decision step among an upgrade's
// steps; the runbook's own come before it.
const decisionsFrom = 10001

// Decision is what a person wants done on the host of an upgrade that waits for
// him: the name of one of the runbook's decision steps, and why.
type Decision struct {
	Step   string // rollout.DecideLook, rollout.DecideClear or rollout.DecideUndo
	Reason string // looking needs none
}

// VerifyUpgrade takes a person's word that the server was repaired by hand: a
// new attempt begins with the step that verifies, and what comes before it and
// is not done is passed over. The upgrade is done only if verification passes.
// A wave that its threshold stopped is resumed, as by a retry.
func (s *Store) VerifyUpgrade(ctx context.Context, actor Actor, upgrade int64, reason string, books rollout.Books) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say what was repaired: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "operator"); err != nil {
			return err
		}
		u, w, err := t.lockUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		if err := t.mayVerify(ctx, u); err != nil {
			return err
		}
		book, err := bookOf(books, u.Runbook)
		if err != nil {
			return err
		}
		verify, ok := book.Verifying()
		if !ok {
			return rollout.Conflict("The runbook of %s has no step that verifies.", u.Server)
		}
		attempt, err := t.renewFrom(ctx, upgrade, verify)
		if err != nil {
			return err
		}
		if err := t.passOver(ctx, upgrade, verify); err != nil {
			return err
		}
		generation, err := t.q.VerifyUpgrade(ctx, db.VerifyUpgradeParams{Step: verify, ID: upgrade, FromState: u.State})
		if err != nil {
			return fmt.Errorf("verify: %w", movedOn(err))
		}
		n, err := t.q.BeginStep(ctx, db.BeginStepParams{UpgradeID: upgrade, Name: verify})
		if err != nil {
			return fmt.Errorf("begin step %s: %w", verify, err)
		}
		if n == 0 {
			return rollout.Conflict("The upgrade moved on meanwhile.")
		}
		if err := t.s.insertJobs(ctx, t.tx, Tick{Upgrade: upgrade, Generation: generation}); err != nil {
			return err
		}
		if rollout.State(u.State).Broken() && rollout.WaveState(w.State) == rollout.WaveStopped && !stopped(u) {
			if err := t.moveWave(ctx, w, rollout.ResumeWave, reason); err != nil {
				return err
			}
		}
		t.record(actor, Record{
			What: "upgrade.verify", Subject: u.Server, Rollout: u.RolloutID, Reason: reason,
			Detail: map[string]any{"upgrade": upgrade, "from": verify, "attempt": attempt, "state": u.State},
		})
		return t.decided(ctx, u, upgrade, Event{
			Kind: EventDecide, Step: verify,
			Text: sentence(fmt.Sprintf("%s says that %s is repaired; it is verified now", actor.Name, u.Server), reason),
			Data: map[string]any{"upgrade": upgrade, "decision": verify},
		})
	})
	if err != nil {
		return fmt.Errorf("verify upgrade %d: %w", upgrade, err)
	}
	return nil
}

// mayVerify holds the guards of VerifyUpgrade: a server that has not begun is
// not begun in a rollout that is stopped or paused.
func (t *txn) mayVerify(ctx context.Context, u db.UpgradeByIDRow) error {
	state := rollout.State(u.State)
	if _, err := rollout.UpgradeTable.After(state, rollout.Repair); err != nil {
		return err
	}
	if !state.Broken() {
		switch rollout.RolloutState(u.RolloutState) {
		case rollout.RolloutStopped, rollout.RolloutDone:
			return errEnded()
		case rollout.RolloutPaused:
			return rollout.Conflict("The rollout is paused: nothing starts in it until it is resumed.")
		case rollout.RolloutWaiting, rollout.RolloutRunning:
		}
	}
	return t.takeServer(ctx, u)
}

// takeServer makes sure that nobody else has the server in work, and that no
// one begins before this transaction ends. What is in work already is this
// upgrade's.
func (t *txn) takeServer(ctx context.Context, u db.UpgradeByIDRow) error {
	if rollout.State(u.State).InWork() {
		return nil
	}
	if err := t.q.LockFleet(ctx); err != nil {
		return fmt.Errorf("wait for other decisions: %w", err)
	}
	busy, err := t.q.ServerInWork(ctx, db.ServerInWorkParams{ServerID: u.ServerID, UpgradeID: u.ID})
	if err != nil {
		return fmt.Errorf("look for other work: %w", err)
	}
	if busy {
		return rollout.Conflict("%s is in work in another rollout.", u.Server)
	}
	if err := t.q.FreezeServer(ctx, u.ServerID); err != nil {
		return fmt.Errorf("freeze server: %w", err)
	}
	return nil
}

// passOver skips the steps before the named one that are not done.
func (t *txn) passOver(ctx context.Context, upgrade int64, name string) error {
	steps, err := t.q.StepsOfUpgrade(ctx, upgrade)
	if err != nil {
		return fmt.Errorf("load steps: %w", err)
	}
	for _, st := range steps {
		if st.Name == name {
			return t.q.PassOverSteps(ctx, db.PassOverStepsParams{UpgradeID: upgrade, Position: st.Position})
		}
	}
	return rollout.Conflict("The runbook has no step %q.", name)
}

// DecideUpgrade has one of the runbook's decision steps done on the host of an
// upgrade in trouble: looking again, clearing Action and Watermark, or putting
// the cleared values back. When that step has ended the upgrade is in the state
// it came from; one that was unknown goes on with its step after a look. A
// wave's threshold is not touched by it.
func (s *Store) DecideUpgrade(ctx context.Context, actor Actor, upgrade int64, d Decision, books rollout.Books) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(d.Reason) == "" && d.Step != rollout.DecideLook {
			return rollout.Invalid("Say why: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "operator"); err != nil {
			return err
		}
		u, _, err := t.lockUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		book, err := bookOf(books, u.Runbook)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(book.Decisions, func(s rollout.Step) bool { return s.Name == d.Step })
		if at < 0 {
			return rollout.Invalid("The runbook has no decision %q.", d.Step)
		}
		if err := t.mayDecide(ctx, u, upgrade, d); err != nil {
			return err
		}
		state := rollout.State(u.State)
		if state == rollout.OutOfSight {
			err = t.lookNow(ctx, u, upgrade)
		} else {
			err = t.beginDecision(ctx, actor, u, upgrade, book.Decisions[at].Name, decisionsFrom+at)
		}
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "upgrade." + d.Step, Subject: u.Server, Rollout: u.RolloutID, Reason: d.Reason,
			Detail: map[string]any{"upgrade": upgrade, "decision": d.Step, "state": u.State},
		})
		return t.decided(ctx, u, upgrade, Event{
			Kind: EventDecide, Step: u.Step, Text: sentence(decisionWords(actor, u, d.Step), d.Reason),
			Data: map[string]any{"upgrade": upgrade, "decision": d.Step},
		})
	})
	if err != nil {
		return fmt.Errorf("decide %s of upgrade %d: %w", d.Step, upgrade, err)
	}
	return nil
}

func decisionWords(actor Actor, u db.UpgradeByIDRow, step string) string {
	switch step {
	case rollout.DecideLook:
		return fmt.Sprintf("%s has a look taken at %s", actor.Name, u.Server)
	case rollout.DecideClear:
		return fmt.Sprintf("%s has Action and Watermark cleared on %s", actor.Name, u.Server)
	case rollout.DecideUndo:
		return fmt.Sprintf("%s has the cleared values put back on %s", actor.Name, u.Server)
	}
	return fmt.Sprintf("%s has step %s done on %s", actor.Name, step, u.Server)
}

func (t *txn) mayDecide(ctx context.Context, u db.UpgradeByIDRow, upgrade int64, d Decision) error {
	if u.Decision != "" {
		return rollout.Conflict("A decision of %s (%s) is carried out on %s now.", u.DecidedBy, u.Decision, u.Server)
	}
	if !rollout.State(u.State).MayDecide(d.Step) {
		return rollout.Conflict("That is not decided about a server that is %s, as %s is now.", rollout.State(u.State).Words(), u.Server)
	}
	if d.Step == rollout.DecideUndo {
		markers, err := t.q.MarkersOfUpgrade(ctx, upgrade)
		if err != nil {
			return fmt.Errorf("load cleared values: %w", err)
		}
		if !slices.ContainsFunc(markers, func(m db.MarkersOfUpgradeRow) bool { return m.Open }) {
			return rollout.Conflict("Nothing was cleared on %s that is not put back.", u.Server)
		}
	}
	return t.takeServer(ctx, u)
}

// lookNow has the step that lost sight of its host ask it at once, with its
// limits counted from now.
func (t *txn) lookNow(ctx context.Context, u db.UpgradeByIDRow, upgrade int64) error {
	n, err := t.q.LookAgain(ctx, db.LookAgainParams{UpgradeID: upgrade, Name: u.Step, FromState: u.State, ToState: u.State})
	if err != nil {
		return fmt.Errorf("renew the limits of step %s: %w", u.Step, err)
	}
	if n == 0 {
		return rollout.Conflict("The upgrade moved on meanwhile.")
	}
	generation, err := t.q.LookNow(ctx, db.LookNowParams{ID: upgrade, FromState: u.State})
	if err != nil {
		return fmt.Errorf("look again: %w", movedOn(err))
	}
	return t.s.insertJobs(ctx, t.tx, Tick{Upgrade: upgrade, Generation: generation})
}

func (t *txn) beginDecision(ctx context.Context, actor Actor, u db.UpgradeByIDRow, upgrade int64, step string, position int) error {
	to, err := rollout.UpgradeTable.After(rollout.State(u.State), rollout.Decide)
	if err != nil {
		return err
	}
	returns := rollout.State(u.State).Returns(step)
	if returns != rollout.State(u.State) {
		n, err := t.q.LookAgain(ctx, db.LookAgainParams{UpgradeID: upgrade, Name: u.Step, FromState: u.State, ToState: string(returns)})
		if err != nil {
			return fmt.Errorf("go on with step %s: %w", u.Step, err)
		}
		if n == 0 {
			returns = rollout.State(u.State) // no step to go on with: it is only looked at
		}
	}
	if err := t.q.BeginDecision(ctx, db.BeginDecisionParams{UpgradeID: upgrade, Position: position, Name: step}); err != nil {
		return fmt.Errorf("begin decision %s: %w", step, err)
	}
	generation, err := t.q.DecideUpgrade(ctx, db.DecideUpgradeParams{
		ToState: string(to), Decision: step, Returns: string(returns), DecidedBy: actor.Name, ID: upgrade, FromState: u.State,
	})
	if err != nil {
		return fmt.Errorf("decide: %w", movedOn(err))
	}
	return t.s.insertJobs(ctx, t.tx, Tick{Upgrade: upgrade, Generation: generation})
}

// movedOn says what it means that a guarded update found no row.
func movedOn(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return rollout.Conflict("The upgrade moved on meanwhile.")
	}
	return err
}
