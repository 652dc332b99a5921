-- name: AcquireLease :one
-- A lease that lives for longer than any can was given before the clock was set
-- back: it has run out.
INSERT INTO host_lease (host_id, owner, epoch, expires_at)
VALUES (@host_id, @owner, 1, clock_timestamp() + make_interval(secs => @ttl_seconds::double precision))
ON CONFLICT (host_id) DO UPDATE
SET owner = excluded.owner,
    epoch = host_lease.epoch + 1,
    expires_at = excluded.expires_at
WHERE host_lease.expires_at < clock_timestamp()
   OR host_lease.expires_at > clock_timestamp() + make_interval(secs => @far_seconds::double precision)
RETURNING epoch;

-- name: RenewLease :execrows
UPDATE host_lease
SET expires_at = clock_timestamp() + make_interval(secs => @ttl_seconds::double precision)
WHERE host_id = @host_id
  AND owner = @owner
  AND epoch = @epoch
  AND expires_at > clock_timestamp();

-- name: ReleaseLease :execrows
UPDATE host_lease
SET expires_at = clock_timestamp()
WHERE host_id = @host_id
  AND owner = @owner
  AND epoch = @epoch;

-- name: HoldLease :one
-- Inside a writing transaction: the lease is still this owner's, and nobody can
-- take it before the transaction ends.
SELECT epoch
FROM host_lease
WHERE host_id = @host_id
  AND owner = @owner
  AND epoch = @epoch
  AND expires_at > clock_timestamp()
FOR SHARE;

-- name: HostsOfUpgrade :many
SELECT h.id, h.name, h.address, h.port
FROM upgrade u
JOIN server_host sh ON sh.server_id = u.server_id
JOIN host h ON h.id = sh.host_id
WHERE u.id = @upgrade_id
ORDER BY h.name;

-- name: LeftHosts :many
-- The hosts of upgrades that began lately: where something may have been left.
SELECT DISTINCT sh.host_id
FROM upgrade u
JOIN server_host sh ON sh.server_id = u.server_id
WHERE u.started_at > clock_timestamp() - make_interval(days => @days::integer)
ORDER BY sh.host_id
LIMIT @max_rows;

-- name: LeftUpgrade :one
-- An upgrade that is nobody's any more: ended, and nothing of it is to be put back.
SELECT u.id, u.rollout_id, w.number AS wave, s.name AS server
FROM upgrade u
JOIN wave w ON w.id = u.wave_id
JOIN server s ON s.id = u.server_id
WHERE u.id = @id
  AND u.state IN ('failed', 'skipped', 'done')
  AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL);
