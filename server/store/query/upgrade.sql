-- name: StartedUpgrades :one
SELECT count(*)
FROM upgrade
WHERE rollout_id = @rollout_id
  AND started_at IS NOT NULL;

-- name: UpgradesOfRollout :many
SELECT u.id, u.wave_id, w.number AS wave, u.server_id, s.name AS server, s.fqdn, s.roles, s.site, u.state, u.step, u.reasons, u.message, u.remedy,
       u.unwinding, u.skipping, u.accepted, u.repaired, u.build, u.generation, u.due_at, u.started_at, u.ended_at, u.verified_at, u.percent, u.phase, u.last_heard_at,
       u.decision, u.returns, u.decided_by, u.output_at, u.runbook, u.hooked
FROM upgrade u
JOIN wave w ON w.id = u.wave_id
JOIN server s ON s.id = u.server_id
WHERE u.rollout_id = @rollout_id
ORDER BY w.number, s.name;

-- name: UpgradeByID :one
SELECT u.id, u.rollout_id, u.wave_id, w.number AS wave, u.server_id, s.name AS server, s.fqdn, s.roles, s.site, u.state, u.step, u.reasons, u.message, u.remedy,
       u.unwinding, u.skipping, u.accepted, u.repaired, u.build, u.generation, u.due_at, u.started_at, u.ended_at, u.verified_at, u.percent, u.phase, u.last_heard_at,
       u.decision, u.returns, u.decided_by, u.output_at, u.runbook, u.hooked,
       r.state AS rollout_state, w.state AS wave_state, v.content AS revision_content, v.hash AS revision_hash, p.name AS plan_name, p.package, p.kind, p.then_package
FROM upgrade u
JOIN wave w ON w.id = u.wave_id
JOIN server s ON s.id = u.server_id
JOIN rollout r ON r.id = u.rollout_id
JOIN revision v ON v.id = r.revision_id
JOIN plan p ON p.id = v.plan_id
WHERE u.id = @id;

-- name: LockUpgrade :one
SELECT id, rollout_id, wave_id, server_id, state, step, message, remedy, unwinding, generation, decision, decided_by
FROM upgrade
WHERE id = @id
FOR UPDATE;

-- name: UpgradesOfServer :many
SELECT u.id, u.rollout_id, u.state, u.step, u.build, u.started_at, u.ended_at, p.name AS plan_name, p.package
FROM upgrade u
JOIN rollout r ON r.id = u.rollout_id
JOIN revision v ON v.id = r.revision_id
JOIN plan p ON p.id = v.plan_id
WHERE u.server_id = @server_id
ORDER BY u.id DESC;

-- name: StartUpgrade :one
UPDATE upgrade
SET state = 'running',
    step = @step,
    reasons = '[]',
    message = '',
    remedy = '',
    unwinding = false,
    skipping = false,
    accepted = false,
    hooked = false,
    repaired = false,
    generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp(),
    output_at = clock_timestamp(),
    started_at = COALESCE(started_at, clock_timestamp()),
    ended_at = NULL,
    percent = @percent,
    phase = ''
WHERE id = @id
  AND state = @from_state
RETURNING generation;

-- name: HoldUpgrade :execrows
UPDATE upgrade
SET state = @to_state,
    reasons = @reasons
WHERE id = @id
  AND state = @from_state;

-- name: SkipUpgrade :execrows
-- Only what left nothing behind on a host is skipped at once.
UPDATE upgrade
SET state = 'skipped',
    reasons = '[]',
    message = @message,
    remedy = '',
    due_at = NULL,
    ended_at = clock_timestamp()
WHERE upgrade.id = @id
  AND upgrade.state = @from_state
  AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = upgrade.id AND l.restored_at IS NULL);

-- name: GiveUpUpgrade :one
-- A begun upgrade that is to be skipped: the steps that put back run first.
UPDATE upgrade
SET state = 'running',
    step = @step,
    reasons = '[]',
    message = @message,
    remedy = '',
    unwinding = true,
    skipping = true,
    generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp(),
    output_at = clock_timestamp(),
    ended_at = NULL,
    phase = ''
WHERE id = @id
  AND state = @from_state
RETURNING generation;

-- name: AcceptFailures :exec
-- The failures that a person knew of when the wave was resumed: they stop it no
-- more.
UPDATE upgrade
SET accepted = true
WHERE wave_id = @wave_id
  AND (state IN ('failed', 'interrupted', 'unknown')
       OR returns IN ('failed', 'interrupted', 'unknown')
       OR unwinding AND NOT skipping);

-- name: SaveUpgrade :execrows
-- The one write by which a tick moves an upgrade on; guarded by the state and
-- the generation that the tick began with.
UPDATE upgrade
SET state = @to_state,
    step = @step,
    message = @message,
    remedy = @remedy,
    unwinding = @unwinding,
    hooked = @hooked,
    skipping = skipping AND @to_state = 'running',
    build = CASE WHEN @build::text = '' THEN build ELSE @build::text END,
    due_at = CASE WHEN sqlc.narg('due_at')::timestamptz IS NULL THEN NULL
                  ELSE LEAST(sqlc.narg('due_at')::timestamptz, clock_timestamp() + make_interval(secs => @pause_seconds::double precision)) END,
    saved_at = clock_timestamp(),
    output_at = CASE WHEN @output::boolean THEN clock_timestamp() ELSE output_at END,
    decision = CASE WHEN @decided::boolean THEN '' ELSE decision END,
    returns = CASE WHEN @decided::boolean THEN '' ELSE returns END,
    percent = @percent,
    phase = @phase,
    last_heard_at = CASE WHEN @heard::boolean THEN clock_timestamp() ELSE last_heard_at END,
    verified_at = CASE WHEN @to_state = 'done' THEN clock_timestamp() ELSE verified_at END,
    ended_at = CASE WHEN @to_state IN ('done', 'failed', 'skipped') THEN clock_timestamp() ELSE NULL END
WHERE id = @id
  AND state = @from_state
  AND generation = @generation
  AND (@to_state <> 'skipped' OR skipping);

-- name: TakeLeftUpgrades :many
-- Upgrades in work that nobody works on: due, and no live lease on any host. What
-- was saved in the future was saved before the clock was set back, and River's
-- job for it may be hours away, too.
UPDATE upgrade
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id IN (
    SELECT u.id
    FROM upgrade u
    WHERE u.state IN ('running', 'out-of-sight')
      AND (u.due_at < clock_timestamp() - make_interval(secs => @grace_seconds::double precision)
           OR u.saved_at > clock_timestamp() + make_interval(secs => @grace_seconds::double precision)
           OR u.due_at > clock_timestamp() + make_interval(secs => @pause_seconds::double precision))
      AND NOT EXISTS (
          SELECT 1
          FROM server_host sh
          JOIN host_lease l ON l.host_id = sh.host_id
          WHERE sh.server_id = u.server_id
            AND l.expires_at > clock_timestamp()
            AND l.expires_at <= clock_timestamp() + make_interval(secs => @far_seconds::double precision))
    ORDER BY u.id
    LIMIT 500
    FOR UPDATE SKIP LOCKED)
RETURNING id, generation;

-- name: SetServerBuild :exec
UPDATE server
SET build = @build
WHERE id = @id;

-- name: WorkServer :one
-- The server of an upgrade as the rows are now; what was approved goes over it.
SELECT s.id, s.name, s.fqdn, s.roles, s.site, s.internet_facing, s.build, s.os, s.language, s.arch, s.cluster, s.profile,
       s.mailboxes, s.um_languages, s.services, s.tags, s.address, s.port,
       EXISTS (SELECT 1 FROM preparation p WHERE lower(p.package) = lower(pl.package)) AS prepared,
       COALESCE((SELECT i.id FROM installation i), '')::text AS installation
FROM upgrade u
JOIN server s ON s.id = u.server_id
JOIN rollout r ON r.id = u.rollout_id
JOIN revision v ON v.id = r.revision_id
JOIN plan pl ON pl.id = v.plan_id
WHERE u.id = @upgrade_id;

-- name: KeepFact :exec
-- Its time is the database's: so long ago as it was learned.
INSERT INTO fact (host_id, name, value, source, at)
VALUES (@host_id, @name, @value, @source, clock_timestamp() - make_interval(secs => @age_seconds::double precision))
ON CONFLICT (host_id, name) DO UPDATE
SET value = excluded.value,
    source = excluded.source,
    at = excluded.at
WHERE fact.at <= excluded.at
   OR fact.at > clock_timestamp();

-- name: HostAnswered :exec
UPDATE host
SET facts_at = clock_timestamp()
WHERE id = @id;

-- name: HostProbed :execrows
-- No row: the host answers elsewhere by now, and what was heard is of another machine.
UPDATE host
SET last_probe_at = clock_timestamp(),
    last_probe_outcome = @outcome,
    last_probe_error = @error
WHERE id = @id
  AND address = @address
  AND port = @port;

-- name: ProbeTarget :one
-- How a host is reached: by the profile of the first server on it.
SELECT h.id, h.name, h.address, h.port, s.fqdn, s.name AS server, s.profile, s.cluster
FROM host h
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
WHERE h.id = @id
ORDER BY s.name
LIMIT 1;

-- name: HostsOfServers :many
SELECT DISTINCT sh.host_id
FROM server_host sh
WHERE sh.server_id = ANY(@server_ids::bigint[])
ORDER BY sh.host_id;

-- name: InsertUpgrades :many
INSERT INTO upgrade (rollout_id, wave_id, server_id, runbook)
SELECT @rollout_id, unnest(@wave_ids::bigint[]), unnest(@server_ids::bigint[]), unnest(@runbooks::text[])
RETURNING id, runbook;

-- name: AskHosts :many
UPDATE host
SET probe_asked_at = clock_timestamp()
WHERE id IN (
    SELECT h.id
    FROM host h
    JOIN server_host sh ON sh.host_id = h.id
    JOIN server s ON s.id = sh.server_id
    WHERE s.name = @server
    ORDER BY h.id
    FOR NO KEY UPDATE OF h)
RETURNING id;

-- name: Fleet :many
-- Every server with what its hosts said last, one row per host.
SELECT s.id, s.name, s.fqdn, s.roles, s.site, s.internet_facing, s.build, s.os, s.language, s.arch, s.cluster, s.profile,
       s.mailboxes, s.um_languages, s.services, s.address, s.port,
       h.id AS host_id, h.name AS host_name, h.address AS host_address, h.port AS host_port, h.last_probe_at, h.last_probe_outcome, h.last_probe_error, h.probe_asked_at, f.value AS roles_fact, f.at AS roles_at,
       d.value AS services_down, x.value AS exsetup, c.value AS cluster_fact, c.at AS cluster_at,
       EXISTS (SELECT 1 FROM upgrade u JOIN rollout ro ON ro.id = u.rollout_id JOIN revision v ON v.id = ro.revision_id JOIN plan p ON p.id = v.plan_id
               WHERE u.server_id = s.id AND u.rollout_id <> @rollout_id AND p.kind = 'organization'
               AND u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')) AS preparing,
       EXISTS (SELECT 1 FROM upgrade u JOIN rollout ro ON ro.id = u.rollout_id JOIN revision v ON v.id = ro.revision_id JOIN plan p ON p.id = v.plan_id
               WHERE u.server_id = s.id AND u.rollout_id <> @rollout_id AND p.kind = ''
               AND (u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')
                    OR u.state IN ('waiting', 'held') AND u.started_at IS NOT NULL
                       AND EXISTS (SELECT 1 FROM step st WHERE st.upgrade_id = u.id AND st.no_return AND st.state <> 'done' AND st.memory ->> 'created' IS NOT NULL))) AS elsewhere,
       EXISTS (SELECT 1 FROM upgrade u JOIN ledger l ON l.upgrade_id = u.id AND l.restored_at IS NULL
               WHERE u.server_id = s.id AND u.rollout_id <> @rollout_id) AS owed,
       COALESCE((SELECT max(u.ended_at) FROM upgrade u JOIN rollout ro ON ro.id = u.rollout_id JOIN revision v ON v.id = ro.revision_id JOIN plan p ON p.id = v.plan_id
                 WHERE u.server_id = s.id AND u.rollout_id <> @rollout_id AND p.kind = ''), 'epoch')::timestamptz AS elsewhere_until
FROM server s
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
LEFT JOIN fact f ON f.host_id = h.id AND f.name = 'roles'
LEFT JOIN fact d ON d.host_id = h.id AND d.name = 'services_down'
LEFT JOIN fact x ON x.host_id = h.id AND x.name = 'exsetup_version'
LEFT JOIN fact c ON c.host_id = h.id AND c.name = 'cluster'
ORDER BY s.name, h.name;

-- name: RetryUpgrade :execrows
UPDATE upgrade
SET state = 'waiting',
    step = @step,
    reasons = '[]',
    message = '',
    remedy = '',
    unwinding = false,
    skipping = false,
    accepted = false,
    hooked = false,
    repaired = false,
    phase = '',
    percent = 0,
    due_at = NULL,
    ended_at = NULL
WHERE id = @id
  AND state = @from_state;

-- name: BackInService :many
-- Upgrades whose attempt failed before anything that cannot be undone began,
-- with everything put back.
SELECT u.id
FROM upgrade u
WHERE u.rollout_id = @rollout_id
  AND u.state IN ('failed', 'waiting', 'held', 'skipped')
  AND u.started_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM step st WHERE st.upgrade_id = u.id AND st.no_return AND (st.memory <> '{}' OR st.state NOT IN ('waiting', 'skipped')));

-- name: VerifyUpgrade :one
-- A person says that it is repaired: the attempt begins with the step that verifies.
UPDATE upgrade
SET state = 'running',
    step = @step,
    reasons = '[]',
    message = '',
    remedy = '',
    unwinding = false,
    skipping = false,
    accepted = false,
    hooked = false,
    repaired = true,
    generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp(),
    output_at = clock_timestamp(),
    started_at = COALESCE(started_at, clock_timestamp()),
    ended_at = NULL,
    phase = ''
WHERE id = @id
  AND state = @from_state
RETURNING generation;

-- name: DecideUpgrade :one
-- A decision step begins; what the row says of the trouble stays.
UPDATE upgrade
SET state = @to_state,
    decision = @decision,
    returns = @returns,
    decided_by = @decided_by,
    generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id = @id
  AND state = @from_state
  AND decision = ''
RETURNING generation;

-- name: LookNow :one
-- What is out of sight is asked at once.
UPDATE upgrade
SET generation = generation + 1,
    due_at = clock_timestamp(),
    saved_at = clock_timestamp()
WHERE id = @id
  AND state = @from_state
  AND decision = ''
RETURNING generation;

-- name: DoubtUpgrade :one
-- A person stops waiting for what is out of sight. Why an attempt is unwound
-- stays said.
UPDATE upgrade
SET state = 'unknown',
    message = CASE WHEN unwinding THEN message ELSE @message END,
    remedy = CASE WHEN unwinding THEN remedy ELSE @remedy END,
    skipping = false,
    generation = generation + 1,
    due_at = NULL,
    saved_at = clock_timestamp()
WHERE id = @id
  AND state = @from_state
  AND decision = ''
RETURNING generation;
