-- name: SetCredential :one
-- The version rises with each secret, so that what is known of the one before
-- says nothing about this one.
INSERT INTO credential (profile_id, purpose, account, sealed, key_id, kind, set_by, proven_at, proven_by)
VALUES (@profile_id, @purpose, @account, @sealed, @key_id, @kind, @set_by, sqlc.narg(proven_at), @proven_by)
ON CONFLICT (profile_id, purpose) DO UPDATE
SET account = excluded.account, sealed = excluded.sealed, key_id = excluded.key_id, kind = excluded.kind,
    set_by = excluded.set_by, set_at = now(), version = credential.version + 1,
    proven_at = excluded.proven_at, proven_by = excluded.proven_by, good_at = NULL, doubted_by = NULL, digest = ''
RETURNING id, version;

-- name: Credentials :many
SELECT c.id, c.profile_id, p.name AS profile, c.purpose, c.account, c.key_id, c.kind, c.version, c.set_at, c.set_by, c.proven_at, c.proven_by
FROM credential c
JOIN profile p ON p.id = c.profile_id
ORDER BY lower(p.name), c.purpose;

-- name: CredentialFor :one
SELECT *
FROM credential
WHERE profile_id = @profile_id
  AND purpose = @purpose;

-- name: LockCredentialFor :one
SELECT *
FROM credential
WHERE profile_id = @profile_id
  AND purpose = @purpose
FOR UPDATE;

-- name: LockCredential :one
SELECT *
FROM credential
WHERE id = @id
FOR UPDATE;

-- name: ProveCredential :exec
UPDATE credential
SET proven_at = COALESCE(proven_at, clock_timestamp()), proven_by = CASE WHEN proven_at IS NULL THEN @host ELSE proven_by END,
    good_at = clock_timestamp(), doubted_by = NULL
WHERE id = @id;

-- name: DoubtCredential :exec
UPDATE credential
SET good_at = NULL, doubted_by = @host_id::bigint
WHERE id = @id;

-- name: KeepDigest :exec
UPDATE credential
SET digest = @digest
WHERE id = @id
  AND version = @version;

-- name: RenewCredential :one
-- The same secret as another version: nothing stands against it.
UPDATE credential
SET version = version + 1, proven_at = NULL, proven_by = '', good_at = NULL, doubted_by = NULL
WHERE id = @id
RETURNING version;
