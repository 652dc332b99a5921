-- name: AcquireLease :one
INSERT INTO host_lease (host_id, owner, epoch, expires_at)
VALUES (@host_id, @owner, 1, clock_timestamp() + make_interval(secs => @ttl_seconds::double precision))
ON CONFLICT (host_id) DO UPDATE
SET owner = excluded.owner,
    epoch = host_lease.epoch + 1,
    expires_at = excluded.expires_at
WHERE host_lease.expires_at < clock_timestamp()
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
