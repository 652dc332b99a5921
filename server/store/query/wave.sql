-- name: InsertWave :one
INSERT INTO wave (rollout_id, number, name)
VALUES (@rollout_id, @number, @name)
RETURNING id;

-- name: WavesOfRollout :many
SELECT w.id, w.rollout_id, w.number, w.name, w.state, w.started_at, w.ended_at, w.stop_reason,
       COALESCE(a.id, 0)::bigint AS approval_id, COALESCE(a.revision_hash, '')::text AS approved_hash,
       COALESCE(p.name, '')::text AS approved_by, COALESCE(a.reason, '')::text AS approval_reason, a.at AS approved_at
FROM wave w
LEFT JOIN approval a ON a.wave_id = w.id AND a.withdrawn_at IS NULL
LEFT JOIN person p ON p.id = a.approved_by
WHERE w.rollout_id = @rollout_id
ORDER BY w.number;

-- name: WaveByID :one
SELECT id, rollout_id, number, name, state
FROM wave
WHERE id = @id;

-- name: MoveWave :execrows
UPDATE wave
SET state = @to_state,
    started_at = CASE WHEN @to_state = 'running' THEN COALESCE(started_at, clock_timestamp()) ELSE started_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'stopped') THEN clock_timestamp() ELSE NULL END,
    stop_reason = CASE WHEN @to_state = 'stopped' THEN @reason::text ELSE '' END
WHERE id = @id
  AND state = @from_state;
