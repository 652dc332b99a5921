-- name: Refusals :many
-- Standing ones of the present versions.
SELECT r.id, r.credential_id, r.version, r.host_id, COALESCE(h.name, '')::text AS host, r.at, r.reason,
       p.name AS profile, c.purpose, c.account
FROM credential_refusal r
JOIN credential c ON c.id = r.credential_id AND c.version = r.version
JOIN profile p ON p.id = c.profile_id
LEFT JOIN host h ON h.id = r.host_id
WHERE r.forgotten_at IS NULL
ORDER BY lower(p.name), c.purpose, r.id;

-- name: RefusalsOf :many
SELECT r.id, r.host_id, COALESCE(h.name, '')::text AS host, r.at, r.reason, r.had_taken
FROM credential_refusal r
LEFT JOIN host h ON h.id = r.host_id
WHERE r.credential_id = @credential_id
  AND r.version = @version
  AND r.forgotten_at IS NULL
ORDER BY r.id;

-- name: TakenBy :many
SELECT host_id, at
FROM credential_taken
WHERE credential_id = @credential_id
  AND version = @version
ORDER BY host_id;

-- name: KeepRefusal :execrows
INSERT INTO credential_refusal (credential_id, version, host_id, reason, had_taken)
VALUES (@credential_id, @version, sqlc.narg(host_id), @reason, @had_taken)
ON CONFLICT (credential_id, version, host_id) WHERE forgotten_at IS NULL DO NOTHING;

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

-- name: TrialOf :one
SELECT t.*, h.name AS host
FROM credential_trial t
JOIN host h ON h.id = t.host_id
WHERE t.credential_id = @credential_id
FOR UPDATE OF t;

-- name: BeginTrial :exec
INSERT INTO credential_trial (credential_id, version, host_id, owner, until, unanswered)
VALUES (@credential_id, @version, @host_id, @owner, clock_timestamp() + make_interval(secs => @seconds::float8), @unanswered)
ON CONFLICT (credential_id) DO UPDATE
SET version = excluded.version, host_id = excluded.host_id, owner = excluded.owner, until = excluded.until, unanswered = excluded.unanswered;

-- name: EndTrial :exec
DELETE FROM credential_trial
WHERE credential_id = @credential_id;

-- name: HostsOfProfile :many
-- The hosts that are reached by the profile, in the order of their names.
SELECT DISTINCT ON (h.name) h.id, h.name, h.address, h.port, s.fqdn, s.name AS server
FROM host h
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
WHERE lower(s.profile) = lower(@profile)
ORDER BY h.name, s.name;
