-- name: InsertSteps :copyfrom
INSERT INTO step (upgrade_id, position, name, no_return)
VALUES (@upgrade_id, @position, @name, @no_return);

-- name: StepsOfUpgrade :many
SELECT id, upgrade_id, position, name, attempt, state, memory, message, started_at, ended_at, limits_from, soft_at, silent_at, node
FROM step
WHERE upgrade_id = @upgrade_id
ORDER BY position;

-- name: StepsOfRollout :many
SELECT st.upgrade_id, st.position, st.name, st.attempt, st.state, st.started_at, st.ended_at, st.limits_from, st.soft_at, st.silent_at, st.node,
       (st.memory ->> 'created' IS NOT NULL)::boolean AS ran
FROM step st
JOIN upgrade u ON u.id = st.upgrade_id
WHERE u.rollout_id = @rollout_id
ORDER BY st.upgrade_id, st.position;

-- name: SaveStep :execrows
UPDATE step
SET state = @to_state,
    memory = @memory,
    message = @message,
    node = CASE WHEN @node::text = '' THEN node ELSE @node::text END,
    started_at = COALESCE(started_at, clock_timestamp()),
    limits_from = COALESCE(sqlc.narg('limits_from')::timestamptz, limits_from),
    soft_at = CASE WHEN @soft::boolean THEN clock_timestamp() ELSE soft_at END,
    silent_at = CASE WHEN @silent::boolean THEN clock_timestamp() ELSE silent_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'failed', 'skipped') THEN clock_timestamp() ELSE NULL END
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = @from_state;

-- name: BeginStep :execrows
UPDATE step
SET state = 'running',
    started_at = clock_timestamp(),
    ended_at = NULL,
    limits_from = NULL,
    soft_at = NULL,
    silent_at = NULL
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = 'waiting';

-- name: RenewSteps :exec
-- A new attempt: every step from the position on begins again. What it
-- remembers stays: a step that must not use an earlier attempt's memory empties
-- it itself, and what was found before the first change is found no second time.
-- When it was worked on is kept.
WITH earlier AS (
    INSERT INTO earlier_step (upgrade_id, name, attempt, started_at, done_at, ran)
    SELECT old.upgrade_id, old.name, old.attempt, old.started_at,
           CASE WHEN old.state IN ('done', 'skipped') THEN old.ended_at END,
           old.started_at IS NOT NULL AND old.memory ->> 'created' IS NOT NULL
    FROM step old
    WHERE old.upgrade_id = @upgrade_id
      AND old.position BETWEEN @position AND 10000
      AND (old.started_at IS NOT NULL OR old.ended_at IS NOT NULL))
UPDATE step
SET state = 'waiting',
    attempt = @attempt,
    message = '',
    started_at = NULL,
    ended_at = NULL,
    limits_from = NULL,
    soft_at = NULL,
    silent_at = NULL
WHERE step.upgrade_id = @upgrade_id
  AND step.position BETWEEN @position AND 10000;

-- name: EarlierSteps :many
-- Of all upgrades of a rollout, or of one.
SELECT e.upgrade_id, e.name, e.started_at, e.done_at, e.ran
FROM earlier_step e
JOIN upgrade u ON u.id = e.upgrade_id
WHERE u.rollout_id = @rollout_id
  AND (@upgrade_id::bigint = 0 OR u.id = @upgrade_id::bigint)
ORDER BY e.upgrade_id, e.started_at, e.done_at;

-- name: PassOverSteps :exec
-- What a person repaired by hand is not done again: steps before the position
-- that are not done are skipped. So are later ones without return: his word has
-- them verified, and begins nothing outside of window and floor.
UPDATE step
SET state = 'skipped',
    ended_at = clock_timestamp()
WHERE upgrade_id = @upgrade_id
  AND (position < @position OR no_return AND position <= 10000)
  AND state NOT IN ('done', 'skipped');

-- name: BeginDecision :exec
-- The row of a decision step: from position 10001, a new attempt each time, with
-- nothing remembered of the one before.
INSERT INTO step (upgrade_id, position, name, state, started_at)
VALUES (@upgrade_id, @position, @name, 'running', clock_timestamp())
ON CONFLICT (upgrade_id, position) DO UPDATE
SET attempt = step.attempt + 1,
    name = excluded.name,
    state = 'running',
    memory = '{}',
    message = '',
    started_at = excluded.started_at,
    ended_at = NULL,
    limits_from = NULL,
    soft_at = NULL,
    silent_at = NULL;

-- name: LookAgain :execrows
-- The limits of a step count from now, and it goes on.
UPDATE step
SET state = @to_state,
    limits_from = clock_timestamp(),
    soft_at = NULL,
    silent_at = NULL,
    ended_at = NULL
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = @from_state;

-- name: DoubtStep :execrows
-- A person counts as unknown what is out of sight.
UPDATE step
SET state = 'unknown'
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = 'out-of-sight';
