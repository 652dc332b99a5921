package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// WaveToApprove is a wave of a rollout under way that wants an approval: the
// next one without any, or one whose approval no longer fits its content.
type WaveToApprove struct {
	Rollout   int64
	PlanName  string
	Package   string
	Wave      int
	Servers   int
	Author    int64
	Submitter int64
	Editor    int64 // who made the newest revision of the plan
	By        string
	Again     bool      // it was approved, but its content changed since
	Since     time.Time // when the rollout was made, or the wave before it ended
}

// UpgradeToDecide is an upgrade that only a person can move on.
type UpgradeToDecide struct {
	Rollout  int64
	PlanName string
	Server   string
	State    string
	Message  string
	Since    time.Time
}

// Drafts that wait for their author are not among what waits: nobody is kept
// from working by them.
const wavesToApprove = `
SELECT o.id AS rollout, p.name AS plan_name, p.package, w.number AS wave,
       (SELECT count(*) FROM upgrade u WHERE u.wave_id = w.id)::int AS servers,
       r.author_id AS author, COALESCE(r.submitted_by, 0)::bigint AS submitter,
       (SELECT l.author_id FROM revision l WHERE l.plan_id = p.id ORDER BY l.number DESC LIMIT 1) AS editor,
       a.name AS by, w.state <> 'waiting' AS again,
       COALESCE((SELECT max(b.ended_at) FROM wave b WHERE b.rollout_id = o.id AND b.number < w.number), o.created_at) AS since
FROM rollout o
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN person a ON a.id = r.author_id
JOIN wave w ON w.rollout_id = o.id
WHERE o.state IN ('waiting', 'running', 'paused')
  AND (
        w.number = (SELECT min(n.number) FROM wave n WHERE n.rollout_id = o.id AND n.state = 'waiting')
     OR w.state IN ('approved', 'running', 'paused', 'stopped') AND EXISTS (
            SELECT 1
            FROM upgrade u
            WHERE u.wave_id = w.id
              AND u.state IN ('waiting', 'held')
              AND u.reasons @> '[{"rule": "approval-does-not-match"}]'
        )
  )
ORDER BY o.id, w.number`

const upgradesToDecide = `
SELECT o.id AS rollout, p.name AS plan_name, s.name AS server, u.state, u.message,
       COALESCE(u.ended_at, u.last_heard_at, u.started_at, o.created_at) AS since
FROM upgrade u
JOIN rollout o ON o.id = u.rollout_id
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN server s ON s.id = u.server_id
WHERE u.state IN ('failed', 'interrupted', 'unknown')
  AND (o.state IN ('waiting', 'running', 'paused')
       OR u.state <> 'failed'
       OR EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL))
ORDER BY since, s.name`

// WavesToApprove returns, for each rollout that has not ended, the waves that
// want an approval now.
func (s *Store) WavesToApprove(ctx context.Context) ([]WaveToApprove, error) {
	return pageRows[WaveToApprove](ctx, s, "load waves to approve", wavesToApprove)
}

// UpgradesToDecide returns what only a person can move on, the oldest first: in
// a rollout that was stopped, what may still have something on its host.
func (s *Store) UpgradesToDecide(ctx context.Context) ([]UpgradeToDecide, error) {
	return pageRows[UpgradeToDecide](ctx, s, "load upgrades to decide", upgradesToDecide)
}

// pageRows runs one read for a page; columns and fields have the same names.
func pageRows[T any](ctx context.Context, s *Store, what, sql string, args ...any) ([]T, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}
