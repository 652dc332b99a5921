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
	Upgrade   int64
	Rollout   int64
	Ended     bool // its rollout is stopped or done: nothing starts in it any more
	PlanName  string
	Server    string
	State     string
	Runbook   string // by which it goes
	Step      string
	Message   string
	Remedy    string
	Decision  string // the decision step in work on it; "" = none
	DecidedBy string // who decided last; "" = nobody yet
	InVain    bool   // it is put back now, and its host is silent for SilentFor: it may be left as it is
	Since     time.Time
}

// SilentUpgrade is an upgrade in work from which nothing new came for longer
// than its step's limit of silence. Nothing is interrupted by that.
type SilentUpgrade struct {
	Upgrade  int64
	Rollout  int64
	PlanName string
	Server   string
	Runbook  string // by which it goes
	Step     string
	Message  string
	Output   *time.Time // when something new came last; nil = never
	Silent   time.Time  // when the silence was found
	Heard    *time.Time // when the host answered last
}

// Deviation is something on a host that is not as it was before an upgrade
// changed it for a while.
type Deviation struct {
	Upgrade   int64
	Rollout   int64
	PlanName  string
	Server    string
	Host      string
	Kind      string
	Name      string
	Deviation string // why it could not be put back exactly; "" = it was not tried, or not said
	Open      bool   // nothing puts it back by itself
	Since     time.Time
}

// MediaFailed is a host that holds up its server: media were asked for there
// ahead of the upgrade, and did not come.
type MediaFailed struct {
	Rollout  int64
	PlanName string
	Wave     int
	Server   string
	Host     string
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

var upgradesToDecide = `
SELECT u.id AS upgrade, o.id AS rollout, o.state IN ('stopped', 'done') AS ended, p.name AS plan_name, s.name AS server,
       CASE WHEN u.returns IN ('failed', 'interrupted', 'unknown') THEN u.returns ELSE u.state END AS state,
       u.runbook, u.step, u.message, u.remedy, u.decision, u.decided_by, ` + unwindsInVain + ` AS in_vain,
       COALESCE(u.ended_at, u.last_heard_at, u.started_at, o.created_at) AS since
FROM upgrade u
JOIN rollout o ON o.id = u.rollout_id
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN server s ON s.id = u.server_id
WHERE (u.state IN ('failed', 'interrupted', 'unknown', 'out-of-sight') OR u.returns IN ('failed', 'interrupted', 'unknown')
       OR ` + unwindsInVain + `
       OR u.state IN ('waiting', 'held') AND u.started_at IS NOT NULL AND o.state IN ('stopped', 'done'))
  AND (o.state IN ('waiting', 'running', 'paused')
       OR u.state NOT IN ('failed', 'waiting', 'held')
       OR u.state <> 'failed' AND EXISTS (SELECT 1 FROM step v WHERE v.upgrade_id = u.id AND v.no_return AND v.state <> 'done' AND v.memory ->> 'created' IS NOT NULL)
       OR EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL))
ORDER BY since, s.name`

const silentUpgrades = `
SELECT u.id AS upgrade, o.id AS rollout, p.name AS plan_name, s.name AS server, u.runbook, u.step, u.message,
       u.output_at AS output, st.silent_at AS silent, u.last_heard_at AS heard
FROM upgrade u
JOIN step st ON st.upgrade_id = u.id AND st.name = u.step
JOIN rollout o ON o.id = u.rollout_id
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN server s ON s.id = u.server_id
WHERE u.state IN ('running', 'out-of-sight')
  AND st.silent_at IS NOT NULL
  AND (u.output_at IS NULL OR u.output_at < st.silent_at)
ORDER BY st.silent_at, s.name`

// mediaFailed has hosts of servers still to start on which media were asked for
// ahead and did not come.
const mediaFailed = `
SELECT o.id AS rollout, p.name AS plan_name, w.number AS wave, s.name AS server, h.name AS host, g.message, g.ended_at AS since
FROM rollout o
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN wave w ON w.rollout_id = o.id
JOIN upgrade u ON u.wave_id = w.id AND u.state IN ('waiting', 'held') AND u.started_at IS NULL
JOIN server s ON s.id = u.server_id
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
JOIN package k ON lower(k.name) = lower(p.package) AND lower(k.language) = lower(s.language) AND k.arch = s.arch
JOIN LATERAL (
    SELECT x.state, x.upgrade_id, x.message, x.ended_at
    FROM staging x
    WHERE x.host_id = h.id
      AND x.media_id = k.media_id
    ORDER BY x.id DESC
    LIMIT 1) g ON g.state = 'failed' AND g.upgrade_id IS NULL
WHERE o.state IN ('waiting', 'running', 'paused')
ORDER BY o.id, w.number, h.name`

// What an upgrade in work has changed for a while is as it should be.
const deviations = `
SELECT u.id AS upgrade, o.id AS rollout, p.name AS plan_name, s.name AS server, h.name AS host, l.kind, l.name, l.deviation,
       l.restored_at IS NULL AS open, COALESCE(l.restored_at, l.changed_at) AS since
FROM ledger l
JOIN upgrade u ON u.id = l.upgrade_id
JOIN host h ON h.id = l.host_id
JOIN rollout o ON o.id = u.rollout_id
JOIN revision r ON r.id = o.revision_id
JOIN plan p ON p.id = r.plan_id
JOIN server s ON s.id = u.server_id
WHERE (l.restored_at IS NULL AND u.state NOT IN ('running', 'out-of-sight', 'paused'))
   OR (l.deviation <> '' AND l.restored_at IS NOT NULL AND o.state IN ('waiting', 'running', 'paused'))
ORDER BY open DESC, since, s.name, l.kind, l.name`

// SilentUpgrades returns the upgrades in work that are silent for too long, the
// longest first.
func (s *Store) SilentUpgrades(ctx context.Context) ([]SilentUpgrade, error) {
	return pageRows[SilentUpgrade](ctx, s, "load silent upgrades", silentUpgrades)
}

// Deviations returns what is not as it was: what nothing will put back by
// itself, then what was not put back exactly in rollouts that have not ended.
func (s *Store) Deviations(ctx context.Context) ([]Deviation, error) {
	return pageRows[Deviation](ctx, s, "load deviations", deviations)
}

// MediaFailed returns where media that were asked for ahead did not come and a
// server that has not started waits for them, by rollout, wave and host.
func (s *Store) MediaFailed(ctx context.Context) ([]MediaFailed, error) {
	return pageRows[MediaFailed](ctx, s, "load media that did not come", mediaFailed)
}

// WavesToApprove returns, for each rollout that has not ended, the waves that
// want an approval now.
func (s *Store) WavesToApprove(ctx context.Context) ([]WaveToApprove, error) {
	return pageRows[WaveToApprove](ctx, s, "load waves to approve", wavesToApprove)
}

// UpgradesToDecide returns what is in trouble, the oldest first: what only a
// person can move on, also while his decision is carried out, and what is out of
// sight or put back on a host that is silent; in a rollout that was stopped, what may still have something on its host,
// also when it was to be run again.
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
