-- name: InsertRollout :one
INSERT INTO rollout (revision_id, due_at)
VALUES (@revision_id, 'infinity')
RETURNING id;

-- name: RolloutByID :one
SELECT r.id, r.revision_id, r.state, r.last_event, r.due_at, r.generation, r.created_at, r.started_at, r.ended_at,
       r.paused_by, r.pause_reason, r.stop_reason,
       v.plan_id, v.number AS revision_number, v.hash AS revision_hash, v.content AS revision_content,
       v.author_id, v.submitted_by, p.name AS plan_name, p.package, p.kind, p.then_package
FROM rollout r
JOIN revision v ON v.id = r.revision_id
JOIN plan p ON p.id = v.plan_id
WHERE r.id = @id;

-- name: RolloutOfRevision :one
SELECT id
FROM rollout
WHERE revision_id = @revision_id;

-- name: LockRollout :one
SELECT id, revision_id, state, last_event, generation
FROM rollout
WHERE id = @id
FOR UPDATE;

-- name: ListRollouts :many
SELECT r.id, r.state, r.created_at, r.started_at, r.ended_at, r.paused_by, r.pause_reason, r.stop_reason,
       v.plan_id, v.number AS revision_number, v.hash AS revision_hash, p.name AS plan_name, p.package, p.kind, p.then_package,
       (SELECT count(*) FROM upgrade u WHERE u.rollout_id = r.id) AS servers,
       (SELECT count(*) FROM upgrade u WHERE u.rollout_id = r.id AND u.state = 'done') AS done,
       (SELECT count(*) FROM upgrade u WHERE u.rollout_id = r.id AND u.state IN ('running', 'paused', 'out-of-sight')) AS running,
       (SELECT count(*) FROM upgrade u WHERE u.rollout_id = r.id AND u.state IN ('failed', 'interrupted', 'unknown')) AS failed
FROM rollout r
JOIN revision v ON v.id = r.revision_id
JOIN plan p ON p.id = v.plan_id
ORDER BY r.id DESC
LIMIT @max_rows;

-- name: MoveRollout :execrows
UPDATE rollout
SET state = @to_state,
    started_at = CASE WHEN @to_state = 'running' THEN COALESCE(started_at, clock_timestamp()) ELSE started_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'stopped') THEN clock_timestamp() ELSE ended_at END,
    paused_by = CASE WHEN @to_state = 'paused' THEN @who::text ELSE '' END,
    pause_reason = CASE WHEN @to_state = 'paused' THEN @reason::text ELSE '' END,
    stop_reason = CASE WHEN @to_state = 'stopped' THEN @reason::text ELSE stop_reason END
WHERE id = @id
  AND state = @from_state;

-- name: TakeEventNumber :one
UPDATE rollout
SET last_event = last_event + 1
WHERE id = @id
RETURNING last_event;

-- name: RequestAdvance :one
-- No row: a request is on its way already. It needs the row's lock, so it will
-- see what this transaction does; if it got lost, the sweep asks again.
UPDATE rollout
SET generation = generation + 1,
    due_at = clock_timestamp()
WHERE id = @id
  AND NOT (due_at <= clock_timestamp() AND due_at > clock_timestamp() - make_interval(secs => @grace_seconds::double precision))
RETURNING generation;

-- name: PutOffRollout :exec
UPDATE rollout
SET due_at = clock_timestamp() + make_interval(secs => @pause_seconds::double precision)
WHERE id = @id;

-- name: TakeDueRollouts :many
-- One that is due later than any is put off was put off before the clock was set back.
UPDATE rollout
SET generation = generation + 1,
    due_at = clock_timestamp()
WHERE id IN (
    SELECT r.id
    FROM rollout r
    WHERE r.state IN ('waiting', 'running', 'paused', 'stopped')
      AND (r.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR r.due_at > clock_timestamp() + make_interval(secs => @far_seconds::double precision) AND r.due_at < 'infinity')
      AND (r.state <> 'stopped' OR EXISTS (SELECT 1 FROM upgrade u WHERE u.rollout_id = r.id AND u.state IN ('running', 'out-of-sight')))
    ORDER BY r.id
    LIMIT 100
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: LockRevision :one
SELECT v.id, v.plan_id, v.number, v.state, v.content, v.hash, v.author_id, v.submitted_by, p.name AS plan_name, p.package, p.kind, p.then_package, p.created_by
FROM revision v
JOIN plan p ON p.id = v.plan_id
WHERE v.id = @id
FOR UPDATE OF v;

-- name: MarkSubmitted :execrows
UPDATE revision
SET state = 'submitted',
    submitted_by = @person_id,
    submitted_at = clock_timestamp()
WHERE id = @id
  AND state = 'draft';

-- name: LiveRolloutsOfPlan :many
SELECT r.id, r.state, r.revision_id, v.number
FROM rollout r
JOIN revision v ON v.id = r.revision_id
WHERE v.plan_id = @plan_id
  AND r.state IN ('waiting', 'running', 'paused')
ORDER BY r.id;

-- name: MarkSuperseded :execrows
UPDATE revision
SET state = 'superseded'
WHERE id = @id
  AND state = @from_state;

-- name: ServerIDs :many
SELECT id, name
FROM server
WHERE name = ANY(@names::text[]);

-- name: DatabaseTime :one
SELECT clock_timestamp()::timestamptz;

-- name: IsPrepared :one
SELECT EXISTS (SELECT 1 FROM preparation WHERE lower(package) = lower(@package::text));

-- name: RolloutsInWork :many
SELECT id
FROM rollout
WHERE state IN ('waiting', 'running')
ORDER BY id;

-- name: RolloutsAwaitingHost :many
-- The running rollouts that asked for a host's facts, and have servers to start.
-- An older question's answer may come after the question (it is of before it,
-- and its transaction could not see it): what was asked lately counts, too.
SELECT r.id
FROM rollout r
JOIN host h ON h.id = @host_id
WHERE r.state = 'running'
  AND h.probe_asked_at IS NOT NULL
  AND (h.last_probe_at IS NULL OR h.probe_asked_at > h.last_probe_at OR h.probe_asked_at > clock_timestamp() - make_interval(secs => @asked_seconds::double precision))
  AND EXISTS (SELECT 1 FROM upgrade u WHERE u.rollout_id = r.id AND u.state IN ('waiting', 'held'))
ORDER BY r.id;
