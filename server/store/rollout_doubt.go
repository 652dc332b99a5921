package store

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// DoubtUpgrade ends the waiting for a server that is out of sight, before the
// step's hard limit does: a person counts it as unknown. Nothing is done on its
// hosts, which stay the upgrade's, and no tick comes any more; all decisions
// about what is unknown are open then. It counts for the wave's threshold as an
// outcome that a limit made unknown does.
func (s *Store) DoubtUpgrade(ctx context.Context, actor Actor, upgrade int64, reason string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why it is not waited for any more: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "operator"); err != nil {
			return err
		}
		u, _, err := t.lockUpgrade(ctx, upgrade)
		if err != nil {
			return err
		}
		if u.Decision != "" {
			return rollout.Conflict("A decision of %s (%s) is carried out on %s now.", u.DecidedBy, u.Decision, u.Server)
		}
		if !rollout.State(u.State).MayDoubt() {
			return rollout.Conflict("Nothing out of sight is waited for: %s is %s now.", u.Server, rollout.State(u.State).Words())
		}
		if err := t.doubt(ctx, actor, upgrade, u.Step, u.State, reason); err != nil {
			return err
		}
		t.record(actor, Record{
			What: "upgrade." + rollout.DecideDoubt, Subject: u.Server, Rollout: u.RolloutID, Reason: reason,
			Detail: map[string]any{"upgrade": upgrade, "decision": rollout.DecideDoubt, "state": u.State},
		})
		if err := t.tell(ctx, Event{
			Rollout: u.RolloutID, Wave: u.Wave, Server: u.Server, Kind: EventDecide, Step: u.Step,
			Text: sentence(fmt.Sprintf("%s does not wait for %s any more: how it stands is not known", actor.Name, u.Server), reason),
			Data: map[string]any{"upgrade": upgrade, "decision": rollout.DecideDoubt},
		}); err != nil {
			return err
		}
		return t.decided(ctx, u, upgrade, Event{
			Kind: EventUpgrade, Step: u.Step, Text: fmt.Sprintf("%s is %s", u.Server, rollout.Unknown.Words()),
			Data: map[string]any{"upgrade": upgrade, "state": string(rollout.Unknown)},
		})
	})
	if err != nil {
		return fmt.Errorf("stop waiting for upgrade %d: %w", upgrade, err)
	}
	return nil
}

// doubt moves the step and the upgrade; a tick that is under way finds another
// generation.
func (t *txn) doubt(ctx context.Context, actor Actor, upgrade int64, step, from, reason string) error {
	n, err := t.q.DoubtStep(ctx, db.DoubtStepParams{UpgradeID: upgrade, Name: step})
	if err != nil {
		return fmt.Errorf("stop waiting in step %s: %w", step, err)
	}
	if n == 0 {
		return rollout.Conflict("The upgrade moved on meanwhile.")
	}
	_, err = t.q.DoubtUpgrade(ctx, db.DoubtUpgradeParams{
		Message: sentence(actor.Name+" stopped waiting while it was out of sight", reason),
		Remedy:  "Look at the host. What ran there may run still, or may have ended well: have it looked at again, or mark the server as repaired and let it be verified.",
		ID:      upgrade, FromState: from,
	})
	if err != nil {
		return fmt.Errorf("stop waiting: %w", movedOn(err))
	}
	return nil
}
