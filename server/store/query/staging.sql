-- name: StagingHosts :many
-- The hosts of servers whose package has a medium. wave 0 = the servers by id.
-- Of a wave those that have begun bring it as a step of their own.
SELECT s.name AS server, h.id AS host_id, h.name AS host, s.language, s.arch, COALESCE(p.folder, '')::text AS folder, p.media_id
FROM server s
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
LEFT JOIN package p ON lower(p.name) = lower(@package::text) AND lower(p.language) = lower(s.language) AND p.arch = s.arch
WHERE (@wave_id::bigint <> 0 AND s.id IN (SELECT u.server_id FROM upgrade u WHERE u.wave_id = @wave_id::bigint AND u.state IN ('waiting', 'held') AND u.started_at IS NULL))
   OR (@wave_id::bigint = 0 AND s.id = ANY (@servers::bigint[]))
ORDER BY h.id, s.name;

-- name: WavePackage :one
SELECT pl.package, pl.then_package, w.rollout_id, w.number
FROM wave w
JOIN rollout r ON r.id = w.rollout_id
JOIN revision v ON v.id = r.revision_id
JOIN plan pl ON pl.id = v.plan_id
WHERE w.id = @id;

-- name: InsertStaging :one
INSERT INTO staging (host_id, media_id, arch, folder, asked_by, reason, not_before, due_at, total_bytes)
SELECT @host_id, m.id, m.arch, @folder, @asked_by, @reason,
       GREATEST(now(), sqlc.narg(not_before)::timestamptz), GREATEST(now(), sqlc.narg(not_before)::timestamptz), m.bundle_size
FROM media m
WHERE m.id = @media_id
ON CONFLICT (host_id, media_id) WHERE state NOT IN ('done', 'skipped', 'failed') DO NOTHING
RETURNING id, generation;

-- name: MoveStaging :one
-- Another time for what waits; none when it is in work, or has that time already.
UPDATE staging
SET not_before = GREATEST(now(), sqlc.narg(not_before)::timestamptz),
    due_at = GREATEST(now(), sqlc.narg(not_before)::timestamptz),
    asked_by = @asked_by,
    reason = @reason,
    asked_at = now(),
    generation = generation + 1,
    saved_at = now()
WHERE host_id = @host_id
  AND media_id = @media_id
  AND state IN ('waiting', 'held')
  AND upgrade_id IS NULL
  AND GREATEST(now(), not_before) IS DISTINCT FROM GREATEST(now(), sqlc.narg(not_before)::timestamptz)
RETURNING id, generation;

-- name: TakeStagingForUpgrade :one
-- The open staging becomes a step of the upgrade; who worked on it is overtaken.
UPDATE staging
SET upgrade_id = @upgrade_id::bigint,
    generation = generation + CASE WHEN upgrade_id IS NOT DISTINCT FROM @upgrade_id::bigint THEN 0 ELSE 1 END,
    state = CASE WHEN state IN ('waiting', 'held') THEN 'running' ELSE state END,
    started_at = COALESCE(started_at, now()),
    saved_at = now()
WHERE host_id = @host_id
  AND media_id = @media_id
  AND state NOT IN ('done', 'skipped', 'failed')
RETURNING id;

-- name: InsertStagingForUpgrade :one
INSERT INTO staging (host_id, media_id, arch, folder, upgrade_id, state, asked_by, total_bytes, started_at)
SELECT @host_id, m.id, m.arch, @folder, @upgrade_id::bigint, 'running', @asked_by, m.bundle_size, now()
FROM media m
WHERE m.id = @media_id
RETURNING id;

-- name: StagingByID :one
SELECT g.*, h.name AS host, h.address, h.port
FROM staging g
JOIN host h ON h.id = g.host_id
WHERE g.id = @id;

-- name: BeginStaging :execrows
UPDATE staging
SET state = 'running',
    started_at = COALESCE(started_at, now()),
    saved_at = now()
WHERE id = @id
  AND generation = @generation
  AND state IN ('waiting', 'held')
  AND not_before <= now();

-- name: SaveStaging :execrows
UPDATE staging
SET state = @to_state,
    phase = @phase,
    attempt = @attempt,
    source = @source,
    done_bytes = @done_bytes::bigint,
    total_bytes = @total_bytes,
    rate = @rate,
    memory = @memory,
    message = @message,
    remedy = @remedy,
    due_at = COALESCE(sqlc.narg(due_at)::timestamptz, due_at),
    saved_at = now(),
    output_at = CASE WHEN @output::boolean THEN now() ELSE output_at END,
    refused = CASE WHEN @done_bytes::bigint > done_bytes THEN '' ELSE refused END, -- the host got in since
    refused_at = CASE WHEN @done_bytes::bigint > done_bytes THEN NULL ELSE refused_at END,
    proven_at = CASE WHEN @proven::boolean THEN now() ELSE proven_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'skipped', 'failed') THEN now() END
WHERE id = @id
  AND state = @from_state
  AND generation = @generation;

-- name: EndStaging :one
-- A person ends what is open or failed and not in an upgrade; who works on it is
-- overtaken. What failed before another was asked for is of the past.
UPDATE staging
SET state = 'skipped',
    generation = generation + 1,
    ended_at = now(),
    saved_at = now(),
    message = @message
WHERE staging.id = @id
  AND staging.state NOT IN ('done', 'skipped')
  AND staging.upgrade_id IS NULL
  AND NOT EXISTS (
      SELECT 1
      FROM staging n
      WHERE n.host_id = staging.host_id
        AND n.media_id = staging.media_id
        AND n.id > staging.id)
RETURNING host_id;

-- name: TakeLeftStagings :many
-- Stagings that are due and that nobody works on, as TakeLeftUpgrades.
UPDATE staging
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id IN (
    SELECT g.id
    FROM staging g
    WHERE g.state IN ('running', 'out-of-sight')
      AND g.upgrade_id IS NULL
      AND (g.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR g.saved_at > clock_timestamp() + make_interval(secs => @grace_seconds::double precision)
           OR g.due_at > clock_timestamp() + make_interval(secs => @pause_seconds::double precision))
      AND NOT EXISTS (
          SELECT 1
          FROM host_lease l
          WHERE l.host_id = g.host_id
            AND l.expires_at > clock_timestamp()
            AND l.expires_at <= clock_timestamp() + make_interval(secs => @far_seconds::double precision))
    ORDER BY g.id
    LIMIT 200
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: TakeWaitingStagings :many
-- The next of those that wait, where the host is free: who finds no room for one
-- leaves it here, and the others have their turn.
UPDATE staging
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id IN (
    SELECT g.id
    FROM staging g
    WHERE g.state IN ('waiting', 'held')
      AND g.upgrade_id IS NULL
      AND g.not_before <= clock_timestamp()
      AND (g.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR g.saved_at > clock_timestamp() + make_interval(secs => @grace_seconds::double precision))
      AND NOT EXISTS (
          SELECT 1
          FROM server_host sh
          JOIN upgrade u ON u.server_id = sh.server_id
          WHERE sh.host_id = g.host_id
            AND u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown'))
      AND NOT EXISTS (
          SELECT 1
          FROM host_lease l
          WHERE l.host_id = g.host_id
            AND l.expires_at > clock_timestamp()
            AND l.expires_at <= clock_timestamp() + make_interval(secs => @far_seconds::double precision))
    ORDER BY g.due_at, g.id
    LIMIT @most::bigint
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: StagingsFetching :one
-- How many hosts fetch ahead of their upgrades, or were just told to. What has
-- come to a stand keeps no place.
SELECT count(*)
FROM staging
WHERE state IN ('running', 'out-of-sight')
  AND upgrade_id IS NULL
  AND phase IN ('', 'check', 'fetch')
  AND COALESCE(output_at, started_at) > now() - interval '2 minutes';

-- name: EndLeftStagings :execrows
-- What an upgrade did as a step of its own and did not end, since it was not in
-- work any more: whoever needs the medium begins anew, and goes on from what came.
UPDATE staging g
SET state = 'failed',
    generation = g.generation + 1,
    message = 'The upgrade that fetched it ended before.',
    ended_at = now(),
    saved_at = now()
FROM upgrade u
WHERE u.id = g.upgrade_id
  AND u.state NOT IN ('running', 'paused', 'out-of-sight')
  AND g.state NOT IN ('done', 'skipped', 'failed')
  AND g.saved_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision);

-- name: Stagings :many
-- The newest staging of each host and medium, by host; media 0 and host 0 = all.
SELECT DISTINCT ON (h.name, g.media_id) g.*, h.name AS host, h.address, h.port
FROM staging g
JOIN host h ON h.id = g.host_id
WHERE (@media_id::bigint = 0 OR g.media_id = @media_id::bigint)
  AND (@host_id::bigint = 0 OR g.host_id = @host_id::bigint)
ORDER BY h.name, g.media_id, g.id DESC;

-- name: MediumStagings :many
-- As Stagings, the first ones of one medium, without what their workers remember.
SELECT g.*, h.name AS host, h.address, h.port
FROM host h
JOIN LATERAL (
    SELECT x.id, x.host_id, x.media_id, x.arch, x.folder, x.upgrade_id, x.state, x.phase, x.attempt, x.generation, x.source, x.done_bytes, x.total_bytes,
           x.rate, '{}'::jsonb AS memory, x.message, x.remedy, x.refused, x.refused_at, x.asked_by, x.reason, x.asked_at, x.not_before, x.due_at, x.saved_at,
           x.output_at, x.started_at, x.ended_at, x.proven_at
    FROM staging x
    WHERE x.host_id = h.id
      AND x.media_id = @media_id
    ORDER BY x.id DESC
    LIMIT 1) g ON true
ORDER BY h.name
LIMIT @most::bigint;

-- name: StagedHosts :one
-- On how many hosts a medium was asked for.
SELECT count(DISTINCT host_id)
FROM staging
WHERE media_id = @media_id;

-- name: WaveStagings :many
-- For each host of a wave's servers the media of its packages, the second after
-- the first, and the newest staging of each there; staging_id NULL = none was asked for.
SELECT u.id AS upgrade_id, s.name AS server, h.id AS host_id, h.name AS host, p.name AS package, p.media_id::bigint AS media_id, m.manifest_sha256, m.bundle_size, p.folder AS package_folder,
       h.address, h.port, COALESCE(g.id, 0)::bigint AS staging_id, g.upgrade_id AS staging_upgrade, COALESCE(g.state, '')::text AS state,
       COALESCE(g.phase, '')::text AS phase, COALESCE(g.attempt, 0)::integer AS attempt, COALESCE(g.generation, 0)::bigint AS generation,
       COALESCE(g.done_bytes, 0)::bigint AS done_bytes, COALESCE(g.total_bytes, 0)::bigint AS total_bytes, COALESCE(g.rate, 0)::bigint AS rate,
       COALESCE(g.source, '')::text AS source, COALESCE(g.message, '')::text AS message, COALESCE(g.remedy, '')::text AS remedy,
       COALESCE(g.refused, '')::text AS refused, g.refused_at, COALESCE(g.folder, '')::text AS folder, COALESCE(g.asked_by, '')::text AS asked_by,
       COALESCE(g.reason, '')::text AS reason, COALESCE(g.arch, '')::text AS arch, g.output_at, g.started_at, g.ended_at, g.proven_at,
       COALESCE(g.asked_at, 'epoch'::timestamptz)::timestamptz AS asked_at, COALESCE(g.not_before, 'epoch'::timestamptz)::timestamptz AS not_before
FROM upgrade u
JOIN wave w ON w.id = u.wave_id
JOIN rollout r ON r.id = w.rollout_id
JOIN revision v ON v.id = r.revision_id
JOIN plan pl ON pl.id = v.plan_id
JOIN server s ON s.id = u.server_id
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
JOIN package p ON lower(p.name) IN (lower(pl.package), lower(pl.then_package)) AND lower(p.language) = lower(s.language) AND p.arch = s.arch
JOIN media m ON m.id = p.media_id
LEFT JOIN LATERAL (
    SELECT *
    FROM staging x
    WHERE x.host_id = h.id
      AND x.media_id = p.media_id
    ORDER BY x.id DESC
    LIMIT 1) g ON true
WHERE w.rollout_id = @rollout_id
  AND (@wave_id::bigint = 0 OR w.id = @wave_id::bigint)
ORDER BY s.name, h.name, lower(p.name) = lower(pl.then_package);

-- name: SiteOfHost :one
SELECT s.site
FROM server s
JOIN server_host sh ON sh.server_id = s.id
WHERE sh.host_id = @host_id
ORDER BY s.name
LIMIT 1;

-- name: MediaServed :exec
-- What the listener refused to a staging's host, in words.
UPDATE staging
SET refused = @refused,
    refused_at = now()
WHERE id = @id
  AND refused IS DISTINCT FROM @refused;

-- name: RolloutsStartingHost :many
-- The running rollouts that have a server of this host still to start.
SELECT DISTINCT r.id
FROM rollout r
JOIN upgrade u ON u.rollout_id = r.id AND u.state IN ('waiting', 'held')
JOIN server_host sh ON sh.server_id = u.server_id
WHERE r.state = 'running'
  AND sh.host_id = @host_id
ORDER BY r.id;

-- name: ServersOfHosts :many
-- A server for each host, the first by name.
SELECT DISTINCT ON (sh.host_id) sh.host_id, s.name
FROM server_host sh
JOIN server s ON s.id = sh.server_id
ORDER BY sh.host_id, s.name;
