-- name: InsertWaiver :one
-- What is accepted comes from the finding itself.
INSERT INTO waiver (server_id, package, rule, severity, text, evidence, reason, until_at, asked_by, asked_by_id)
VALUES (@server_id, @package, @rule, @severity, @text, @evidence, @reason, @until_at, @asked_by, sqlc.narg(asked_by_id)::bigint)
RETURNING id;

-- name: WaiverByID :one
SELECT w.*, s.name AS server, now()::timestamptz AS read_at,
       ARRAY(SELECT DISTINCT o.name
             FROM server_host own
             JOIN server_host theirs ON theirs.host_id = own.host_id AND theirs.server_id <> own.server_id
             JOIN server o ON o.id = theirs.server_id
             WHERE own.server_id = w.server_id)::text[] AS others
FROM waiver w
JOIN server s ON s.id = w.server_id
WHERE w.id = @id;

-- name: LockWaiver :one
SELECT w.*, s.name AS server
FROM waiver w
JOIN server s ON s.id = w.server_id
WHERE w.id = @id
FOR UPDATE OF w;

-- name: DecideWaiver :execrows
UPDATE waiver
SET state = @to_state,
    decided_by = @decided_by,
    decided_by_id = sqlc.narg(decided_by_id)::bigint,
    decided_at = now(),
    decision = @decision
WHERE id = @id
  AND state = 'asked'
  AND (@to_state::text = 'refused' OR until_at > now());

-- name: WithdrawWaiver :execrows
UPDATE waiver
SET state = 'withdrawn',
    withdrawn_by = @withdrawn_by,
    withdrawn_at = now(),
    withdrawal = @withdrawal
WHERE id = @id
  AND state IN ('asked', 'granted')
  AND until_at > now();

-- name: WaiversFor :many
-- The waivers that stand now, by the database's clock, those of the server itself
-- last of each rule: what is accepted on a node is accepted for all its servers.
SELECT w.*, s.name AS server, now()::timestamptz AS read_at,
       ARRAY(SELECT DISTINCT o.name
             FROM server_host own
             JOIN server_host theirs ON theirs.host_id = own.host_id AND theirs.server_id <> own.server_id
             JOIN server o ON o.id = theirs.server_id
             WHERE own.server_id = w.server_id)::text[] AS others
FROM waiver w
JOIN server s ON s.id = w.server_id
WHERE (w.server_id = @server_id
       OR EXISTS (
           SELECT 1
           FROM server_host own
           JOIN server_host theirs ON theirs.host_id = own.host_id
           WHERE own.server_id = @server_id
             AND theirs.server_id = w.server_id))
  AND lower(w.package) = lower(@package)
  AND w.state = 'granted'
  AND w.until_at > now()
ORDER BY w.rule, w.server_id = @server_id, w.id;

-- name: Waivers :many
-- Newest first; server 0 = all, else those of the servers on its hosts. Those that
-- are over are left out unless wanted.
SELECT w.*, s.name AS server, now()::timestamptz AS read_at,
       ARRAY(SELECT DISTINCT o.name
             FROM server_host own
             JOIN server_host theirs ON theirs.host_id = own.host_id AND theirs.server_id <> own.server_id
             JOIN server o ON o.id = theirs.server_id
             WHERE own.server_id = w.server_id)::text[] AS others
FROM waiver w
JOIN server s ON s.id = w.server_id
WHERE (@server_id::bigint = 0
       OR w.server_id = @server_id::bigint
       OR EXISTS (
           SELECT 1
           FROM server_host own
           JOIN server_host theirs ON theirs.host_id = own.host_id
           WHERE own.server_id = @server_id::bigint
             AND theirs.server_id = w.server_id))
  AND (@past::boolean OR w.state IN ('asked', 'granted') AND w.until_at > now())
ORDER BY w.id DESC
LIMIT 1000;

-- name: PlannersOf :many
-- Who wrote or submitted a plan of the package, still to be carried out, that has one of the servers.
SELECT DISTINCT p.id, p.name
FROM revision v
JOIN plan pl ON pl.id = v.plan_id
JOIN person p ON p.id IN (v.author_id, v.submitted_by)
WHERE v.state IN ('draft', 'submitted')
  AND lower(pl.package) = lower(@package)
  AND EXISTS (
      SELECT 1
      FROM jsonb_array_elements(v.content::jsonb -> 'servers') AS one
      WHERE one ->> 'server' = ANY (@servers::text[]))
ORDER BY p.name;
