-- name: InsertSteps :copyfrom
INSERT INTO step (upgrade_id, position, name)
VALUES (@upgrade_id, @position, @name);

-- name: StepsOfUpgrade :many
SELECT id, upgrade_id, position, name, attempt, state, memory, message, started_at, ended_at
FROM step
WHERE upgrade_id = @upgrade_id
ORDER BY position;

-- name: StepsOfRollout :many
SELECT st.upgrade_id, st.position, st.name, st.attempt, st.state, st.started_at, st.ended_at
FROM step st
JOIN upgrade u ON u.id = st.upgrade_id
WHERE u.rollout_id = @rollout_id
ORDER BY st.upgrade_id, st.position;

-- name: SaveStep :execrows
UPDATE step
SET state = @to_state,
    memory = @memory,
    message = @message,
    started_at = COALESCE(started_at, clock_timestamp()),
    ended_at = CASE WHEN @to_state IN ('done', 'failed', 'skipped') THEN clock_timestamp() ELSE NULL END
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = @from_state;

-- name: BeginStep :execrows
UPDATE step
SET state = 'running',
    started_at = clock_timestamp(),
    ended_at = NULL
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = 'waiting';

-- name: RenewSteps :exec
-- A new attempt: every step from the position on begins again. What it
-- remembers stays: a step that must not use an earlier attempt's memory empties
-- it itself, and what was found before the first change is found no second time.
UPDATE step
SET state = 'waiting',
    attempt = @attempt,
    message = '',
    started_at = NULL,
    ended_at = NULL
WHERE upgrade_id = @upgrade_id
  AND position >= @position;
