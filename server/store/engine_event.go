package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/store/db"
)

// Event is one thing that happened in a rollout. Its number is gap-free in its
// rollout; what a person decided is an audit entry besides.
type Event struct {
	Rollout int64
	Number  int64
	At      time.Time
	Kind    string // a word of the table of kinds, "upgrade-started"
	Wave    int    // 0 = the rollout as a whole
	Server  string
	Step    string
	Text    string // for people
	Data    map[string]any
}

// The kinds of events.
const (
	EventSubmitted = "submitted"
	EventRejected  = "rejected"
	EventApproved  = "approved"
	EventVoided    = "approval-voided"
	EventRollout   = "rollout"  // the rollout's state changed
	EventWave      = "wave"     // a wave's state changed
	EventUpgrade   = "upgrade"  // an upgrade's state changed
	EventHeld      = "held"     // an upgrade is held, or its reasons changed
	EventStep      = "step"     // a step began or ended
	EventIntent    = "intent"   // written before something is started or changed on a host
	EventChanged   = "changed"  // a ledger entry was opened
	EventRestored  = "restored" // a ledger entry was closed
	EventRetry     = "retry"
	EventSkip      = "skip"
	EventDecide    = "decide"   // a person decided about an upgrade in trouble
	EventEvidence  = "evidence" // what was read from a host in trouble is kept
	EventMarker    = "marker"   // an Action or Watermark value was cleared or put back
	EventLimit     = "limit"    // a step takes longer than expected, or is silent
)

// appendEvent writes the event under its rollout's row lock with the next
// number. The rollout's row must be locked by this transaction first, before
// any other row.
func (t *txn) appendEvent(ctx context.Context, e Event) error {
	number, err := t.q.TakeEventNumber(ctx, e.Rollout)
	if err != nil {
		return fmt.Errorf("number the event: %w", err)
	}
	data := []byte("{}")
	if len(e.Data) > 0 {
		if data, err = json.Marshal(e.Data); err != nil {
			return fmt.Errorf("encode the event: %w", err)
		}
	}
	var wave *int
	if e.Wave > 0 {
		n := e.Wave
		wave = &n
	}
	if err := t.q.InsertEvent(ctx, db.InsertEventParams{
		RolloutID: e.Rollout, Number: number, Kind: e.Kind, Wave: wave,
		Server: e.Server, Step: e.Step, Text: e.Text, Data: data,
	}); err != nil {
		return fmt.Errorf("write event %d of rollout %d: %w", number, e.Rollout, err)
	}
	return nil
}

// ring is the doorbell: listeners look at the database when it rings.
func (t *txn) ring(ctx context.Context, topic string, id int64) error {
	if err := t.q.Notify(ctx, fmt.Sprintf("%s:%d", topic, id)); err != nil {
		return fmt.Errorf("notify %s %d: %w", topic, id, err)
	}
	return nil
}

// requestAdvance asks for the rollout to be looked at, inside the transaction
// that gave the reason. Requests that come together are one.
func (t *txn) requestAdvance(ctx context.Context, rollout int64) error {
	generation, err := t.q.RequestAdvance(ctx, db.RequestAdvanceParams{ID: rollout, GraceSeconds: t.s.grace().Seconds()})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("request advance of rollout %d: %w", rollout, err)
	}
	return t.s.insertJobs(ctx, t.tx, Advance{Rollout: rollout, Generation: generation})
}

// Events returns at most limit events of the rollout after the number, in order.
func (s *Store) Events(ctx context.Context, rollout, after int64, limit int) ([]Event, error) {
	rows, err := s.q.EventsAfter(ctx, db.EventsAfterParams{RolloutID: rollout, After: after, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load events of rollout %d: %w", rollout, err)
	}
	return eventsOf(rows), nil
}

// LatestEvents returns at most limit events of the rollout, the newest first.
func (s *Store) LatestEvents(ctx context.Context, rollout int64, limit int) ([]Event, error) {
	rows, err := s.q.LatestEvents(ctx, db.LatestEventsParams{RolloutID: rollout, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load latest events of rollout %d: %w", rollout, err)
	}
	return eventsOf(rows), nil
}

// Milestones returns at most limit events of the rollout, the newest first, without
// those of single actions on hosts, which the page of each upgrade and the history
// show.
func (s *Store) Milestones(ctx context.Context, rollout int64, limit int) ([]Event, error) {
	rows, err := s.q.Milestones(ctx, db.MilestonesParams{RolloutID: rollout, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load milestones of rollout %d: %w", rollout, err)
	}
	return eventsOf(rows), nil
}

// EventsOfServer returns at most limit events of one server in a rollout, the
// newest first.
func (s *Store) EventsOfServer(ctx context.Context, rollout int64, server string, limit int) ([]Event, error) {
	rows, err := s.q.EventsOfServer(ctx, db.EventsOfServerParams{RolloutID: rollout, Server: server, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("load events of %s in rollout %d: %w", server, rollout, err)
	}
	return eventsOf(rows), nil
}

func eventsOf(rows []db.Event) []Event {
	events := make([]Event, 0, len(rows))
	for _, r := range rows {
		e := Event{Rollout: r.RolloutID, Number: r.Number, At: r.At, Kind: r.Kind, Server: r.Server, Step: r.Step, Text: r.Text}
		if r.Wave != nil {
			e.Wave = *r.Wave
		}
		if len(r.Data) > 2 {
			// Only this package writes the column, as an object; a row that
			// does not decode is shown without its data.
			_ = json.Unmarshal(r.Data, &e.Data)
		}
		events = append(events, e)
	}
	return events
}
