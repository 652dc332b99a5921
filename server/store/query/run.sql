-- name: RunHosts :many
-- The hosts of servers by id, each with the first of its servers by name.
SELECT DISTINCT ON (h.id) h.id AS host_id, h.name AS host, s.id AS server_id, s.name AS server
FROM server s
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
WHERE s.id = ANY (@servers::bigint[])
ORDER BY h.id, s.name;

-- name: InsertBatch :one
INSERT INTO check_batch (package, asked_by, reason)
VALUES (@package, @asked_by, @reason)
RETURNING id;

-- name: InsertRun :one
-- None where one for the same purpose is open on the host already.
INSERT INTO host_run (kind, runbook, host_id, server_id, package, batch_id, fix_id, asked_by, reason)
VALUES (@kind, @runbook, @host_id, @server_id, @package, sqlc.narg(batch_id)::bigint, sqlc.narg(fix_id)::bigint, @asked_by, @reason)
ON CONFLICT DO NOTHING
RETURNING id, generation;

-- name: OpenRun :one
-- The run for this purpose that is open on the host.
SELECT id
FROM host_run
WHERE host_id = @host_id
  AND kind = @kind
  AND package = @package
  AND state NOT IN ('done', 'skipped', 'failed')
ORDER BY id
LIMIT 1;

-- name: RunByID :one
SELECT r.*, h.name AS host, h.address, h.port, s.name AS server, now()::timestamptz AS read_at
FROM host_run r
JOIN host h ON h.id = r.host_id
JOIN server s ON s.id = r.server_id
WHERE r.id = @id;

-- name: BeginRun :execrows
-- Never beside an upgrade or a staging that is in work on the host.
UPDATE host_run r
SET state = 'running',
    started_at = COALESCE(r.started_at, now()),
    saved_at = now()
WHERE r.id = @id
  AND r.generation = @generation
  AND r.state IN ('waiting', 'held')
  AND NOT EXISTS (
      SELECT 1
      FROM server_host sh
      JOIN upgrade u ON u.server_id = sh.server_id
      WHERE sh.host_id = r.host_id
        AND u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown'))
  AND NOT EXISTS (
      SELECT 1
      FROM staging g
      WHERE g.host_id = r.host_id
        AND g.state IN ('running', 'out-of-sight'))
  AND NOT EXISTS (
      SELECT 1
      FROM host_run o
      WHERE o.host_id = r.host_id
        AND o.id <> r.id
        AND o.state IN ('running', 'out-of-sight'));

-- name: SaveRun :execrows
UPDATE host_run
SET state = @to_state,
    step = @step,
    ended = @ended,
    memory = @memory,
    message = @message,
    remedy = @remedy,
    due_at = COALESCE(sqlc.narg(due_at)::timestamptz, due_at),
    saved_at = now(),
    judged_at = CASE WHEN @judged::boolean THEN now() ELSE judged_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'skipped', 'failed') THEN now() END
WHERE id = @id
  AND state = @from_state
  AND generation = @generation;

-- name: CancelRuns :many
-- What waits ends at once, what is in work as soon as nothing of it is left on
-- its host. Of a batch, or one run.
UPDATE host_run
SET state = CASE WHEN state IN ('waiting', 'held') THEN 'skipped' ELSE state END,
    ended_at = CASE WHEN state IN ('waiting', 'held') THEN now() END,
    ended = CASE WHEN ended = '' THEN 'skipped' ELSE ended END,
    message = CASE WHEN ended = '' THEN @message ELSE message END,
    remedy = '',
    generation = generation + 1,
    due_at = now(),
    saved_at = now()
WHERE (batch_id = sqlc.narg(batch_id)::bigint OR host_run.id = sqlc.narg(run_id)::bigint)
  AND kind IN ('check', 'organization')
  AND state NOT IN ('done', 'skipped', 'failed')
RETURNING id, generation, state, host_id;

-- name: CancelBatch :execrows
UPDATE check_batch
SET cancelled_at = now(),
    cancelled_by = @cancelled_by
WHERE id = @id
  AND cancelled_at IS NULL;

-- name: TakeLeftRuns :many
-- Runs that are due and that nobody works on, as TakeLeftStagings.
UPDATE host_run
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id IN (
    SELECT r.id
    FROM host_run r
    WHERE r.state IN ('running', 'out-of-sight')
      AND (r.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR r.saved_at > clock_timestamp() + make_interval(secs => @grace_seconds::double precision)
           OR r.due_at > clock_timestamp() + make_interval(secs => @pause_seconds::double precision))
      AND NOT EXISTS (
          SELECT 1
          FROM host_lease l
          WHERE l.host_id = r.host_id
            AND l.expires_at > clock_timestamp()
            AND l.expires_at <= clock_timestamp() + make_interval(secs => @far_seconds::double precision))
    ORDER BY r.id
    LIMIT 200
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: TakeWaitingRuns :many
-- The next of those that wait, where the host is free: as many as there is room
-- for, and of each host one.
UPDATE host_run
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id IN (
    SELECT r.id
    FROM host_run r
    WHERE r.state IN ('waiting', 'held')
      AND (r.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR r.saved_at > clock_timestamp() + make_interval(secs => @grace_seconds::double precision))
      AND NOT EXISTS (
          SELECT 1
          FROM server_host sh
          JOIN upgrade u ON u.server_id = sh.server_id
          WHERE sh.host_id = r.host_id
            AND u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown'))
      AND NOT EXISTS (
          SELECT 1
          FROM staging g
          WHERE g.host_id = r.host_id
            AND g.state IN ('running', 'out-of-sight'))
      AND NOT EXISTS (
          SELECT 1
          FROM host_run o
          WHERE o.host_id = r.host_id
            AND o.state IN ('running', 'out-of-sight'))
      AND NOT EXISTS (
          SELECT 1
          FROM host_lease l
          WHERE l.host_id = r.host_id
            AND l.expires_at > clock_timestamp()
            AND l.expires_at <= clock_timestamp() + make_interval(secs => @far_seconds::double precision))
    ORDER BY r.due_at, r.id
    LIMIT @most::bigint
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: RunsInWork :one
SELECT count(*)
FROM host_run
WHERE state IN ('running', 'out-of-sight');

-- name: RunOnHost :one
-- A run that is in work on the host.
SELECT r.id, r.kind
FROM host_run r
WHERE r.host_id = @host_id
  AND r.state IN ('running', 'out-of-sight')
LIMIT 1;

-- name: StagingOnHost :one
-- A staging that is in work on the host, as it is.
SELECT g.id
FROM staging g
WHERE g.host_id = @host_id
  AND g.state IN ('running', 'out-of-sight')
LIMIT 1;

-- name: InsertFinding :exec
INSERT INTO check_finding (run_id, position, rule, severity, text, evidence, remedy, source, waivable, fix, unread, facts_at)
VALUES (@run_id, @position, @rule, @severity, @text, @evidence, @remedy, @source, @waivable, @fix, @unread, sqlc.narg(facts_at)::timestamptz)
ON CONFLICT (run_id, rule) DO UPDATE
SET position = excluded.position,
    severity = excluded.severity,
    text = excluded.text,
    evidence = excluded.evidence,
    remedy = excluded.remedy,
    source = excluded.source,
    waivable = excluded.waivable,
    fix = excluded.fix,
    unread = excluded.unread,
    facts_at = excluded.facts_at;

-- name: FindingsOfRuns :many
-- What passed is left out unless wanted.
SELECT f.*
FROM check_finding f
WHERE f.run_id = ANY (@runs::bigint[])
  AND (@passes::boolean OR f.severity <> 'pass')
ORDER BY f.run_id, f.position;

-- name: LastRuns :many
-- The newest runs of each host and purpose, newest first: as many of each as are
-- wanted. host 0 = all, no names = all, kind and package '' = all; judged = those that
-- came to findings.
SELECT r.id, r.kind, r.host_id, h.name AS host, r.server_id, s.name AS server, r.package, r.batch_id, r.fix_id, r.state, r.step, r.ended, r.message, r.remedy,
       r.asked_by, r.reason, r.asked_at, r.started_at, r.judged_at, r.ended_at
FROM host_run r
JOIN host h ON h.id = r.host_id
JOIN server s ON s.id = r.server_id
JOIN LATERAL (
    SELECT count(*) AS newer
    FROM host_run n
    WHERE n.host_id = r.host_id
      AND n.kind = r.kind
      AND n.package = r.package
      AND n.id > r.id
      AND (NOT @judged::boolean OR n.judged_at IS NOT NULL)) AS place ON place.newer < @most::bigint
WHERE (@host_id::bigint = 0 OR r.host_id = @host_id::bigint)
  AND (cardinality(@names::text[]) = 0 OR h.name = ANY (@names::text[]))
  AND (@kind::text = '' OR r.kind = @kind::text)
  AND (@package::text = '' OR r.package = @package::text)
  AND (NOT @judged::boolean OR r.judged_at IS NOT NULL)
ORDER BY h.name, r.package, r.id DESC;

-- name: RunsOfBatch :many
SELECT r.id, r.kind, r.host_id, h.name AS host, r.server_id, s.name AS server, r.package, r.batch_id, r.fix_id, r.state, r.step, r.ended, r.message, r.remedy,
       r.asked_by, r.reason, r.asked_at, r.started_at, r.judged_at, r.ended_at
FROM host_run r
JOIN host h ON h.id = r.host_id
JOIN server s ON s.id = r.server_id
WHERE r.batch_id = @batch_id
ORDER BY h.name;

-- name: Batches :many
-- The newest batches with how far they are.
SELECT b.id, b.package, b.asked_by, b.reason, b.asked_at, b.cancelled_at, b.cancelled_by,
       count(r.id) AS runs,
       count(r.id) FILTER (WHERE r.state IN ('done', 'skipped', 'failed')) AS over,
       count(r.id) FILTER (WHERE r.state = 'skipped') AS skipped,
       count(r.id) FILTER (WHERE r.state = 'failed') AS failed,
       count(r.id) FILTER (WHERE r.state IN ('running', 'out-of-sight')) AS in_work
FROM check_batch b
LEFT JOIN host_run r ON r.batch_id = b.id
GROUP BY b.id
ORDER BY b.id DESC
LIMIT @most::bigint;

-- name: ServersOnHost :many
-- The names of the servers of a host: of a node all clustered mailbox servers.
SELECT s.name
FROM server s
JOIN server_host sh ON sh.server_id = s.id
WHERE sh.host_id = @host_id
ORDER BY s.name;
