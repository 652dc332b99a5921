package store

import (
	"time"

	"wavekeeper/server/rollout"
)

// Spells are the downtime and the exposed time of an upgrade by its runbook: the
// forecast, and what they come to at the time now.
func (u UpgradeRow) Spells(books rollout.Books, now time.Time) rollout.Spells {
	book, _ := books.Book(u.Runbook)
	steps := make([]rollout.StepTime, 0, len(u.Steps))
	for _, st := range u.Steps {
		steps = append(steps, rollout.StepTime{Name: st.Name, StartedAt: st.StartedAt, EndedAt: st.EndedAt})
	}
	return book.Spells(steps, u.State.InWork(), now)
}
