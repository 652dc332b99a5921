-- name: InsertFix :one
INSERT INTO fix (name, server_id, host_id, rule, choice, reason, asked_by, asked_by_id)
VALUES (@name, @server_id, @host_id, @rule, @choice, @reason, @asked_by, sqlc.narg(asked_by_id)::bigint)
RETURNING id;

-- name: LockFix :one
SELECT f.*, h.name AS host, s.name AS server
FROM fix f
JOIN host h ON h.id = f.host_id
JOIN server s ON s.id = f.server_id
WHERE f.id = @id
FOR UPDATE OF f;

-- name: FixByID :one
SELECT f.*, h.name AS host, s.name AS server
FROM fix f
JOIN host h ON h.id = f.host_id
JOIN server s ON s.id = f.server_id
WHERE f.id = @id;

-- name: DecideFix :execrows
UPDATE fix
SET state = @to_state,
    decided_by = @decided_by,
    decided_by_id = sqlc.narg(decided_by_id)::bigint,
    decided_at = now(),
    decision = @decision,
    ended_at = CASE WHEN @to_state::text = 'refused' THEN now() END
WHERE id = @id
  AND state = 'asked';

-- name: UndoFix :execrows
UPDATE fix
SET state = 'undoing',
    undone_by = @undone_by,
    ended_at = NULL
WHERE fix.id = @id
  AND fix.state IN ('done', 'failed')
  AND EXISTS (SELECT 1 FROM fix_change c WHERE c.fix_id = fix.id AND c.restored_at IS NULL);

-- name: EndFix :execrows
UPDATE fix
SET state = @to_state,
    message = @message,
    ended_at = now()
WHERE id = @id
  AND state IN ('approved', 'undoing');

-- name: Fixes :many
-- Newest first; server 0 = all. Those that are over are left out unless wanted.
SELECT f.*, h.name AS host, s.name AS server
FROM fix f
JOIN host h ON h.id = f.host_id
JOIN server s ON s.id = f.server_id
WHERE (@server_id::bigint = 0 OR f.server_id = @server_id::bigint)
  AND (@past::boolean OR f.state IN ('asked', 'approved', 'undoing'))
ORDER BY f.id DESC
LIMIT 200;

-- name: OpenFixChange :one
SELECT id
FROM fix_change
WHERE fix_id = @fix_id
  AND kind = @kind
  AND name = @name
  AND restored_at IS NULL;

-- name: InsertFixChange :one
INSERT INTO fix_change (fix_id, kind, name, before, meant)
VALUES (@fix_id, @kind, @name, @before, @meant)
RETURNING id;

-- name: LearnFixChange :execrows
-- Keys that the state before did not have are added.
UPDATE fix_change
SET before = @found::jsonb || before
WHERE id = @id
  AND (@found::jsonb || before) <> before;

-- name: RestoreFixChange :execrows
UPDATE fix_change
SET restored_at = clock_timestamp(),
    deviation = @deviation
WHERE id = @id
  AND fix_id = @fix_id
  AND restored_at IS NULL;

-- name: FixChanges :many
SELECT id, fix_id, kind, name, before, meant, changed_at, restored_at, deviation
FROM fix_change
WHERE fix_id = ANY (@fixes::bigint[])
ORDER BY id;
