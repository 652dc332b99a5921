-- name: SetGrant :exec
INSERT INTO media_grant (staging_id, token_sha256, addresses, until)
VALUES (@staging_id, @token_sha256, @addresses, now() + make_interval(secs => @seconds::double precision))
ON CONFLICT (staging_id) DO UPDATE
SET token_sha256 = excluded.token_sha256, addresses = excluded.addresses, until = excluded.until, given_at = now();

-- name: GrantByToken :one
-- A grant is good while its staging is in work.
SELECT g.staging_id, h.name AS host, g.addresses, g.until, m.bundle_sha256, m.bundle_size
FROM media_grant g
JOIN staging s ON s.id = g.staging_id
JOIN host h ON h.id = s.host_id
JOIN media m ON m.id = s.media_id
WHERE g.token_sha256 = @token_sha256
  AND g.until > now()
  AND s.state IN ('running', 'out-of-sight');

-- name: RevokeGrants :exec
DELETE FROM media_grant
WHERE staging_id = @staging_id;

-- name: DropOldGrants :execrows
-- What is good for nothing any more: it is over, or its staging ended without
-- the worker that would have revoked it.
DELETE FROM media_grant
WHERE staging_id IN (
    SELECT g.staging_id
    FROM media_grant g
    JOIN staging s ON s.id = g.staging_id
    WHERE g.until < now()
       OR s.state IN ('done', 'skipped', 'failed')
    ORDER BY g.staging_id
    FOR UPDATE OF g SKIP LOCKED);
