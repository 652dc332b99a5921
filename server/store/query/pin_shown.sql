-- name: KeepPinForWindows :exec
-- The same certificate always has the same thumbprint and serial number.
INSERT INTO host_pin_windows (host_id, sha256, thumbprint, serial)
VALUES (@host_id, @sha256, @thumbprint, @serial)
ON CONFLICT DO NOTHING;

-- name: PinForWindows :one
SELECT thumbprint, serial
FROM host_pin_windows
WHERE host_id = @host_id
  AND sha256 = @sha256;

-- name: ProfilePinsOf :many
-- Certificates that any host of the profile may show by which the host is reached.
SELECT DISTINCT f.name AS profile, unnest(f.pins)::text AS sha256
FROM server_host sh
JOIN server s ON s.id = sh.server_id
JOIN profile f ON lower(f.name) = lower(s.profile)
WHERE sh.host_id = @host_id
  AND f.https
  AND f.trust <> 'ca'
ORDER BY profile, sha256;

-- name: RejectedPinsInTheWay :many
-- Rejected certificates that hosts of upgrades out of sight showed since they
-- were heard of last: nothing else than taking the rejection back, or the old
-- certificate, lets these go on.
SELECT DISTINCT ON (h.name, p.id) p.id, p.host_id, h.name AS host, p.sha256, p.subject, p.issuer, p.not_before, p.not_after, p.seen_at,
       p.decided_at, p.decided_by, p.reason
FROM host_pin p
JOIN host h ON h.id = p.host_id
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
JOIN profile f ON lower(f.name) = lower(s.profile)
JOIN upgrade u ON u.server_id = s.id
WHERE p.state = 'rejected'
  AND f.https
  AND f.trust <> 'ca'
  AND (u.state = 'out-of-sight' OR u.returns = 'out-of-sight')
  AND (u.last_heard_at IS NULL OR u.last_heard_at < p.seen_at)
  AND NOT EXISTS (SELECT 1 FROM host_pin o WHERE o.host_id = p.host_id AND o.seen_at > p.seen_at AND o.state <> 'replaced')
ORDER BY h.name, p.id;
