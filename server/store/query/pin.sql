-- name: PinsOf :many
SELECT *
FROM host_pin
WHERE host_id = @host_id
ORDER BY id;

-- name: PinByID :one
SELECT p.*, h.name AS host
FROM host_pin p
JOIN host h ON h.id = p.host_id
WHERE p.id = @id;

-- name: LockPin :one
SELECT *
FROM host_pin
WHERE id = @id
FOR UPDATE;

-- name: OpenPins :many
-- Certificates that wait for a person, with what their hosts were known by before.
SELECT p.id, p.host_id, h.name AS host, p.sha256, p.subject, p.issuer, p.not_before, p.not_after, p.seen_at,
       (SELECT COALESCE(array_agg(o.sha256 ORDER BY o.id), '{}') FROM host_pin o WHERE o.host_id = p.host_id AND o.state = 'confirmed')::text[] AS known
FROM host_pin p
JOIN host h ON h.id = p.host_id
WHERE p.state = 'offered'
ORDER BY h.name, p.id;

-- name: OfferPin :one
-- A certificate that was decided about stays so; one that was offered was seen again.
INSERT INTO host_pin (host_id, sha256, subject, issuer, not_before, not_after)
VALUES (@host_id, @sha256, @subject, @issuer, sqlc.narg(not_before), sqlc.narg(not_after))
ON CONFLICT (host_id, sha256) DO UPDATE
SET seen_at = clock_timestamp(),
    state = CASE WHEN host_pin.state = 'replaced' THEN 'offered' ELSE host_pin.state END
RETURNING id, state, (xmax = 0)::boolean AS fresh;

-- name: DropOffers :exec
-- What a host offered before it offered this one is no question any more.
DELETE FROM host_pin
WHERE host_id = @host_id
  AND state = 'offered'
  AND sha256 <> @sha256;

-- name: WithdrawOffers :many
-- The host shows again what it may show: the question is none any more.
DELETE FROM host_pin
WHERE host_id = @host_id
  AND state = 'offered'
RETURNING sha256;

-- name: DecidePin :execrows
UPDATE host_pin
SET state = @state, decided_at = now(), decided_by = @decided_by, reason = @reason
WHERE id = @id
  AND state = ANY (@from_states::text[]);

-- name: AddPin :one
INSERT INTO host_pin (host_id, sha256, state, decided_at, decided_by, reason)
VALUES (@host_id, @sha256, 'confirmed', now(), @decided_by, @reason)
ON CONFLICT (host_id, sha256) DO UPDATE
SET state = 'confirmed', decided_at = now(), decided_by = excluded.decided_by, reason = excluded.reason
RETURNING id;

-- name: ReplacePins :many
UPDATE host_pin
SET state = 'replaced', decided_at = now(), decided_by = @decided_by, reason = @reason
WHERE host_id = @host_id
  AND state = 'confirmed'
  AND id <> @but
RETURNING sha256;

-- name: ServersNotLetIn :many
-- Servers with a host to which nothing is sent until a person decides: its
-- certificate is not confirmed, or it does not get the account of its profile.
SELECT s.name AS server, h.name AS host, 'certificate'::text AS what, p.sha256 AS detail, ''::text AS account
FROM host_pin p
JOIN host h ON h.id = p.host_id
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
JOIN profile f ON lower(f.name) = lower(s.profile)
WHERE p.state = 'offered'
  AND f.https
  AND f.trust <> 'ca'
  AND p.sha256 <> ALL (f.pins)
UNION ALL
SELECT s.name, h.name, 'account', r.reason, c.account
FROM credential_refusal r
JOIN credential c ON c.id = r.credential_id AND c.version = r.version AND c.purpose = 'winrm'
JOIN profile f ON f.id = c.profile_id
JOIN server s ON lower(s.profile) = lower(f.name)
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
WHERE r.forgotten_at IS NULL
  AND (r.host_id = h.id
       OR r.host_id IS NULL
          AND NOT EXISTS (
              SELECT 1
              FROM credential_taken t
              WHERE t.credential_id = c.id
                AND t.version = c.version
                AND t.host_id = h.id))
ORDER BY 1, 2, 3;
