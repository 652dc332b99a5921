package store

import (
	"context"
	"fmt"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Spells are the downtime and the exposed time of an upgrade by its runbook, over
// all its attempts: the forecast, and what they come to at the time now. over =
// its rollout has ended, so that no attempt comes any more.
func (u UpgradeRow) Spells(books rollout.Books, over bool, now time.Time) rollout.Spells {
	book, _ := books.Book(u.Runbook)
	times := rollout.Times{Steps: append([]rollout.StepTime(nil), u.Earlier.Steps...), Down: u.Earlier.Down}
	for _, st := range u.Steps {
		one := rollout.StepTime{Name: st.Name, StartedAt: st.StartedAt, Ran: st.Ran}
		if st.State.Decided() {
			one.DoneAt = st.EndedAt
		}
		times.Steps = append(times.Steps, one)
	}
	var ended *time.Time
	if over || u.State.Decided() {
		ended = u.EndedAt
	}
	return book.Spells(times, ended, now)
}

// earlierTimes are the times of earlier attempts by upgrade, and those in which
// servers did not serve in any: of one upgrade, or with 0 of all of a rollout.
func earlierTimes(ctx context.Context, q *db.Queries, inRollout, upgrade int64) (map[int64]rollout.Times, error) {
	steps, err := q.EarlierSteps(ctx, db.EarlierStepsParams{RolloutID: inRollout, UpgradeID: upgrade})
	if err != nil {
		return nil, fmt.Errorf("load steps of earlier attempts: %w", err)
	}
	down, err := q.StoppedServers(ctx, db.StoppedServersParams{RolloutID: inRollout, UpgradeID: upgrade})
	if err != nil {
		return nil, fmt.Errorf("load when servers were stopped: %w", err)
	}
	out := map[int64]rollout.Times{}
	for _, r := range steps {
		of := out[r.UpgradeID]
		of.Steps = append(of.Steps, rollout.StepTime{Name: r.Name, StartedAt: r.StartedAt, DoneAt: r.DoneAt, Ran: r.Ran})
		out[r.UpgradeID] = of
	}
	for _, r := range down {
		of := out[r.UpgradeID]
		of.Down = append(of.Down, rollout.Stretch{From: r.ChangedAt, To: r.RestoredAt})
		out[r.UpgradeID] = of
	}
	return out, nil
}
