package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// HistoryFilter narrows the record. Zero fields do not narrow.
type HistoryFilter struct {
	Who        string
	Server     string
	Rollout    int64
	Kind       string // "decision", "event", or one kind: "wave.approve", "held"
	From       time.Time
	To         time.Time // exclusive
	Milestones bool      // leave out the events of single actions on hosts
	Before     *HistoryKey
	Limit      int
}

// HistoryKey is a place in the record, for paging.
type HistoryKey struct {
	At     time.Time
	Source string // "a" decision, "e" event
	First  int64
	Second int64
}

// HistoryEntry is one decision or one event.
type HistoryEntry struct {
	At      time.Time
	Source  string // "a": a decision, in the chain; "e": an event
	First   int64  // the entry's number in the chain, or the event's rollout
	Second  int64  // 0, or the event's number
	Who     string
	Kind    string
	Subject string
	Rollout int64
	Wave    int
	Server  string
	Reason  string
	Text    string // of an event
	Detail  string // JSON: the detail of a decision, the data of an event
	Hash    string
	Address string // from where, of a decision
}

// Key returns the entry's place.
func (e HistoryEntry) Key() HistoryKey {
	return HistoryKey{At: e.At, Source: e.Source, First: e.First, Second: e.Second}
}

// Both halves are cut to the page before they are put together, so that each
// is read by its own index.
const historySQL = `
(
    SELECT a.at, 'a' AS source, a.seq AS first, 0::bigint AS second, a.who, a.what AS kind, a.subject, COALESCE(a.rollout, 0)::bigint AS rollout,
           0 AS wave, '' AS server, a.bytes::jsonb ->> 'reason' AS reason, '' AS text, (a.bytes::jsonb -> 'detail')::text AS detail, a.hash,
           a.bytes::jsonb ->> 'from' AS address
    FROM audit a
    WHERE @kind::text <> 'event'
      AND (@kind::text IN ('', 'decision') OR a.what = @kind)
      AND (@who::text = '' OR a.who = @who)
      AND (@rollout::bigint = 0 OR a.rollout = @rollout)
      AND (@server::text = '' OR strpos(upper(a.bytes), upper(@server)) > 0)
      AND (@from_at::timestamptz IS NULL OR a.at >= @from_at)
      AND (@to_at::timestamptz IS NULL OR a.at < @to_at)
      AND (@before_at::timestamptz IS NULL OR (a.at, 'a'::text, a.seq, 0::bigint) < (@before_at, @before_source, @before_first, @before_second))
    ORDER BY a.at DESC, a.seq DESC
    LIMIT @limit
)
UNION ALL
(
    SELECT e.at, 'e', e.rollout_id, e.number, 'the coordinator', e.kind, COALESCE(NULLIF(e.server, ''), 'rollout ' || e.rollout_id), e.rollout_id,
           COALESCE(e.wave, 0), e.server, '', e.text, e.data::text, '', ''
    FROM event e
    WHERE @kind::text <> 'decision'
      AND (@kind::text IN ('', 'event') OR e.kind = @kind)
      AND @who::text = ''
      AND (NOT @mile::boolean OR e.kind NOT IN ('intent', 'changed', 'restored', 'step'))
      AND (@rollout::bigint = 0 OR e.rollout_id = @rollout)
      AND (@server::text = '' OR e.server = upper(@server))
      AND (@from_at::timestamptz IS NULL OR e.at >= @from_at)
      AND (@to_at::timestamptz IS NULL OR e.at < @to_at)
      AND (@before_at::timestamptz IS NULL OR (e.at, 'e'::text, e.rollout_id, e.number) < (@before_at, @before_source, @before_first, @before_second))
    ORDER BY e.at DESC, e.rollout_id DESC, e.number DESC
    LIMIT @limit
)
ORDER BY 1 DESC, 2 DESC, 3 DESC, 4 DESC
LIMIT @limit`

// History returns decisions and events, the newest first.
func (s *Store) History(ctx context.Context, f HistoryFilter) ([]HistoryEntry, error) {
	args := map[string]any{
		"kind": f.Kind, "who": f.Who, "mile": f.Milestones, "rollout": f.Rollout, "server": f.Server, "from_at": instant(f.From), "to_at": instant(f.To),
		"before_at": (*time.Time)(nil), "before_source": "", "before_first": int64(0), "before_second": int64(0), "limit": f.Limit,
	}
	if b := f.Before; b != nil {
		args["before_at"], args["before_source"], args["before_first"], args["before_second"] = &b.At, b.Source, b.First, b.Second
	}
	return pageRows[HistoryEntry](ctx, s, "load history", historySQL, pgx.NamedArgs(args))
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// LastEvents returns the last events of all rollouts, the newest first, without
// those of single actions on hosts.
func (s *Store) LastEvents(ctx context.Context, limit int) ([]HistoryEntry, error) {
	return s.History(ctx, HistoryFilter{Kind: "event", Milestones: true, Limit: limit})
}

// HistoryKinds returns the kinds of decisions and events that exist.
func (s *Store) HistoryKinds(ctx context.Context) (decisions, events []string, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT COALESCE((SELECT array_agg(DISTINCT what ORDER BY what) FROM audit), '{}'),
		       COALESCE((SELECT array_agg(DISTINCT kind ORDER BY kind) FROM event), '{}')`).Scan(&decisions, &events)
	if err != nil {
		return nil, nil, fmt.Errorf("load kinds of history: %w", err)
	}
	return decisions, events, nil
}

// HistoryPeople returns who ever decided something: people, and parts of the
// program or the command line where no person was signed in.
func (s *Store) HistoryPeople(ctx context.Context) ([]string, error) {
	var names []string
	if err := s.pool.QueryRow(ctx, `SELECT COALESCE(array_agg(DISTINCT who ORDER BY who), '{}') FROM audit`).Scan(&names); err != nil {
		return nil, fmt.Errorf("load people of history: %w", err)
	}
	return names, nil
}

// HistorySize returns how many decisions and events there are.
func (s *Store) HistorySize(ctx context.Context) (decisions, events int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT (SELECT seq FROM audit_head)::int, (SELECT COALESCE(sum(last_event), 0) FROM rollout)::int`).Scan(&decisions, &events)
	if err != nil {
		return 0, 0, fmt.Errorf("count history: %w", err)
	}
	return decisions, events, nil
}
