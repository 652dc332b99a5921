package store

import (
	"context"
	"fmt"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// RejectRevision sends a submitted revision back to its author with a reason
// and stops its rollout. It is possible only while no upgrade has started: the
// rollout's row is locked, so none starts meanwhile. Afterwards stopping is
// what ends a rollout.
func (s *Store) RejectRevision(ctx context.Context, actor Actor, revision int64, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTxBy(ctx, actor, func(t *txn) error {
		if reason == "" {
			return rollout.Invalid("Say why the plan is rejected: its author reads the reason.")
		}
		v, err := t.lockRevision(ctx, revision)
		if err != nil {
			return err
		}
		to, err := rollout.PlanTable.After(rollout.PlanState(v.State), rollout.RejectPlan)
		if err != nil {
			return rollout.Conflict("Revision %d is %s; only a submitted revision can be rejected.", v.Number, v.State)
		}
		id, err := t.q.RolloutOfRevision(ctx, revision)
		if err != nil {
			return missing(err, "The revision has no rollout.")
		}
		if err := t.moveRollout(ctx, id, rollout.StopRollout, actor.Name, sentence("rejected by "+actor.Name, reason)); err != nil {
			return err
		}
		started, err := t.q.StartedUpgrades(ctx, id)
		if err != nil {
			return fmt.Errorf("count started upgrades: %w", err)
		}
		if started > 0 {
			return rollout.Conflict("The rollout has begun on %d of its servers: it can be stopped, but its plan cannot be rejected any more.", started)
		}
		n, err := t.q.MoveRevision(ctx, db.MoveRevisionParams{ToState: string(to), ID: revision, FromState: v.State})
		if err != nil {
			return fmt.Errorf("reject: %w", err)
		}
		if n == 0 {
			return rollout.Conflict("The plan moved on meanwhile.")
		}
		t.record(actor, Record{
			What: "plan.reject", Subject: fmt.Sprintf("plan %d revision %d", v.PlanID, v.Number), Rollout: id, Reason: reason,
			Detail: map[string]any{"hash": v.Hash, "package": v.Package},
		})
		if err := t.tell(ctx, Event{
			Rollout: id, Kind: EventRejected, Text: sentence(fmt.Sprintf("%s rejected revision %d of %s", actor.Name, v.Number, v.PlanName), reason),
		}); err != nil {
			return err
		}
		if err := t.ring(ctx, "plan", v.PlanID); err != nil {
			return err
		}
		return t.requestAdvance(ctx, id)
	})
	if err != nil {
		return fmt.Errorf("reject revision %d: %w", revision, err)
	}
	return nil
}
