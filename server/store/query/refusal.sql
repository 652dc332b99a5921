-- name: Refusals :many
-- Standing ones of the present versions.
SELECT r.id, r.credential_id, r.version, r.host_id, COALESCE(h.name, '')::text AS host, r.at, r.reason, r.for_all,
       p.name AS profile, c.purpose, c.account
FROM credential_refusal r
JOIN credential c ON c.id = r.credential_id AND c.version = r.version
JOIN profile p ON p.id = c.profile_id
LEFT JOIN host h ON h.id = r.host_id
WHERE r.forgotten_at IS NULL
ORDER BY lower(p.name), c.purpose, r.id;

-- name: RefusalsOf :many
-- With what stands against the same secret of the same account elsewhere.
SELECT r.id, r.credential_id, r.host_id, COALESCE(h.name, '')::text AS host, r.at, r.reason, r.had_taken, r.for_all
FROM credential_refusal r
LEFT JOIN host h ON h.id = r.host_id
WHERE r.forgotten_at IS NULL
  AND r.credential_id = @credential_id
  AND r.version = @version
UNION ALL
SELECT r.id, r.credential_id, r.host_id, '' AS host, r.at, r.reason, r.had_taken, r.for_all
FROM credential_refusal r
JOIN credential other ON other.id = r.credential_id AND other.version = r.version
JOIN credential c ON c.digest = r.digest
WHERE r.forgotten_at IS NULL
  AND r.host_id IS NULL
  AND r.digest <> ''
  AND c.id = @credential_id
  AND c.version = @version
  AND other.id <> c.id
ORDER BY id;

-- name: TakenBy :many
SELECT host_id, at
FROM credential_taken
WHERE credential_id = @credential_id
  AND version = @version
ORDER BY host_id;

-- name: TookIt :one
SELECT at
FROM credential_taken
WHERE credential_id = @credential_id
  AND version = @version
  AND host_id = @host_id;

-- name: KeepRefusal :execrows
INSERT INTO credential_refusal (credential_id, version, host_id, reason, had_taken, for_all, digest)
SELECT c.id, c.version, sqlc.narg(host_id)::bigint, @reason::text, @had_taken::boolean, @for_all::boolean, c.digest
FROM credential c
WHERE c.id = @credential_id
  AND c.version = @version
ON CONFLICT (credential_id, version, host_id) WHERE forgotten_at IS NULL DO UPDATE
SET for_all = true, reason = excluded.reason, at = excluded.at
WHERE excluded.for_all
  AND NOT credential_refusal.for_all;

-- name: KeepTaken :execrows
INSERT INTO credential_taken (credential_id, version, host_id)
VALUES (@credential_id, @version, @host_id)
ON CONFLICT DO NOTHING;

-- name: DropTaken :execrows
DELETE FROM credential_taken
WHERE credential_id = @credential_id
  AND version = @version
  AND host_id = @host_id;

-- name: CarryTaken :exec
INSERT INTO credential_taken (credential_id, version, host_id, at)
SELECT t.credential_id, t.version + 1, t.host_id, t.at
FROM credential_taken t
WHERE t.credential_id = @credential_id
  AND t.version = @version;

-- name: DropAllTaken :exec
DELETE FROM credential_taken
WHERE credential_id = @credential_id
  AND version = @version;

-- name: ForgetRefusals :execrows
UPDATE credential_refusal
SET forgotten_at = now(), forgotten_by = @forgotten_by
WHERE credential_id = @credential_id
  AND version = @version
  AND forgotten_at IS NULL;

-- name: LockCredentialsAlike :many
-- Others with the same secret of the same account, and something against them.
SELECT c.*
FROM credential c
WHERE c.digest = @digest::text
  AND c.digest <> ''
  AND c.id <> @id
  AND EXISTS (SELECT 1 FROM credential_refusal r WHERE r.credential_id = c.id AND r.version = c.version AND r.forgotten_at IS NULL)
ORDER BY c.id
FOR UPDATE OF c;

-- name: LockTrial :exec
SELECT pg_advisory_xact_lock(hashtextextended('credential trial ' || @about::text, 0));

-- name: TrialOf :one
SELECT t.*, h.name AS host
FROM credential_trial t
JOIN host h ON h.id = t.host_id
WHERE t.about = @about
FOR UPDATE OF t;

-- name: BeginTrial :exec
INSERT INTO credential_trial (about, credential_id, version, host_id, owner, until, ended, unanswered)
VALUES (@about, @credential_id, @version, @host_id, @owner, clock_timestamp() + make_interval(secs => @seconds::float8), @ended, @unanswered)
ON CONFLICT (about) DO UPDATE
SET credential_id = excluded.credential_id, version = excluded.version, host_id = excluded.host_id, owner = excluded.owner,
    until = excluded.until, ended = excluded.ended, unanswered = excluded.unanswered;

-- name: EndTrial :exec
DELETE FROM credential_trial
WHERE about = @about;

-- name: HostsOfProfile :many
-- The hosts that are reached by the profile, in the order of their names.
SELECT DISTINCT ON (h.name) h.id, h.name, h.address, h.port, s.fqdn, s.cluster, s.name AS server
FROM host h
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
WHERE lower(s.profile) = lower(@profile)
ORDER BY h.name, s.name;
