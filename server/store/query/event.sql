-- name: InsertEvent :exec
INSERT INTO event (rollout_id, number, at, kind, wave, server, step, text, data)
VALUES (@rollout_id, @number, clock_timestamp(), @kind, sqlc.narg('wave')::integer, @server, @step, @text, @data);

-- name: EventsAfter :many
SELECT rollout_id, number, at, kind, wave, server, step, text, data
FROM event
WHERE rollout_id = @rollout_id
  AND number > @after
ORDER BY number
LIMIT @max_rows;

-- name: LatestEvents :many
SELECT rollout_id, number, at, kind, wave, server, step, text, data
FROM event
WHERE rollout_id = @rollout_id
ORDER BY number DESC
LIMIT @max_rows;

-- name: Milestones :many
-- Without the events of single actions on hosts, of which a cluster alone has hundreds.
SELECT rollout_id, number, at, kind, wave, server, step, text, data
FROM event
WHERE rollout_id = @rollout_id
  AND kind NOT IN ('intent', 'changed', 'restored', 'step', 'evidence', 'marker')
ORDER BY number DESC
LIMIT @max_rows;

-- name: EventsOfServer :many
SELECT rollout_id, number, at, kind, wave, server, step, text, data
FROM event
WHERE rollout_id = @rollout_id
  AND server = @server
ORDER BY number DESC
LIMIT @max_rows;

-- name: Notify :exec
SELECT pg_notify('wavekeeper', @payload::text);
