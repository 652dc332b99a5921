-- name: FindSession :one
SELECT data
FROM session
WHERE token = @token
  AND expiry > now();

-- name: CommitSession :exec
-- A session of a person who was disabled meanwhile is not written again.
INSERT INTO session (token, data, expiry, person_id)
SELECT @token::text, @data::bytea, @expiry::timestamptz, sqlc.narg('person_id')::bigint
WHERE sqlc.narg('person_id')::bigint IS NULL
   OR EXISTS (SELECT 1 FROM person WHERE id = sqlc.narg('person_id')::bigint AND NOT disabled)
ON CONFLICT (token) DO UPDATE
SET data = excluded.data, expiry = excluded.expiry, person_id = excluded.person_id;

-- name: DeleteSession :exec
DELETE FROM session
WHERE token = @token;

-- name: EndSessions :exec
DELETE FROM session
WHERE person_id = @person_id;

-- name: DeleteExpiredSessions :exec
DELETE FROM session
WHERE expiry <= now();

-- name: AddFirstAdminToken :exec
INSERT INTO first_admin_token (hash, expires_at)
VALUES (@hash, @expires_at);

-- name: TakeFirstAdminToken :execrows
DELETE FROM first_admin_token
WHERE hash = @hash
  AND expires_at > now();

-- name: DeleteFirstAdminTokens :exec
DELETE FROM first_admin_token;

-- name: AddSignInFailure :exec
INSERT INTO sign_in_failure (name, network)
VALUES (@name, @network);

-- name: CountSignInFailures :one
-- In the last quarter of an hour: by this name from this network, and by any
-- name from this network.
SELECT count(*) FILTER (WHERE name = @name) AS by_name,
       count(*) AS by_network
FROM sign_in_failure
WHERE network = @network
  AND at > now() - interval '15 minutes';

-- name: ForgetSignInFailures :exec
DELETE FROM sign_in_failure
WHERE name = @name
  AND network = @network;

-- name: DropOldSignInFailures :exec
DELETE FROM sign_in_failure
WHERE at < now() - interval '1 day';

-- name: LockSignIns :exec
-- Attempts of one network are counted one after the other.
SELECT pg_advisory_xact_lock(7102307, hashtext(@network::text));

-- name: CountRefusedSignIns :one
-- Refused attempts of the last quarter of an hour on the record: by this name
-- from this network, and by any name from this network.
SELECT count(*) FILTER (WHERE subject = @name) AS by_name,
       count(*) AS by_network
FROM audit
WHERE what = 'sign-in.refused'
  AND at > now() - interval '15 minutes'
  AND bytes::jsonb -> 'detail' ->> 'network' = @network::text;
