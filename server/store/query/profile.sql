-- name: Profiles :many
SELECT *
FROM profile
ORDER BY lower(name);

-- name: ProfileByName :one
SELECT *
FROM profile
WHERE lower(name) = lower(@name);

-- name: ProfileByID :one
SELECT *
FROM profile
WHERE id = @id;

-- name: AddProfile :one
INSERT INTO profile (name, auth, https, ca_pem, plain_basic, address_ranges, dns_suffixes)
VALUES (@name, @auth, @https, @ca_pem, @plain_basic, @address_ranges, @dns_suffixes)
RETURNING id;

-- name: ChangeProfile :exec
UPDATE profile
SET auth = @auth, https = @https, ca_pem = @ca_pem, plain_basic = @plain_basic,
    address_ranges = @address_ranges, dns_suffixes = @dns_suffixes, updated_at = now()
WHERE id = @id;

-- name: SetCredential :exec
INSERT INTO credential (profile_id, purpose, account, sealed, key_id, set_by)
VALUES (@profile_id, @purpose, @account, @sealed, @key_id, @set_by)
ON CONFLICT (profile_id, purpose) DO UPDATE
SET account = excluded.account, sealed = excluded.sealed, key_id = excluded.key_id, set_by = excluded.set_by, set_at = now();

-- name: Credentials :many
SELECT c.profile_id, p.name AS profile, c.purpose, c.account, c.key_id, c.set_at, c.set_by
FROM credential c
JOIN profile p ON p.id = c.profile_id
ORDER BY lower(p.name), c.purpose;

-- name: CredentialFor :one
SELECT profile_id, purpose, account, sealed, key_id
FROM credential
WHERE profile_id = @profile_id
  AND purpose = @purpose;
