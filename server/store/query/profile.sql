-- name: Profiles :many
SELECT *
FROM profile
ORDER BY lower(name);

-- name: ProfileByName :one
SELECT *
FROM profile
WHERE lower(name) = lower(@name);

-- name: LockProfileByName :one
SELECT *
FROM profile
WHERE lower(name) = lower(@name)
FOR UPDATE;

-- name: ProfileByID :one
SELECT *
FROM profile
WHERE id = @id;

-- name: AddProfile :one
INSERT INTO profile (name, auth, https, ca_pem, plain_basic, address_ranges, dns_suffixes,
                     tls10, trust, pins, realm, kdcs, krb5_conf, spn_service, updated_by)
VALUES (@name, @auth, @https, @ca_pem, @plain_basic, @address_ranges, @dns_suffixes,
        @tls10, @trust, @pins, @realm, @kdcs, @krb5_conf, @spn_service, @updated_by)
RETURNING id;

-- name: ChangeProfile :exec
UPDATE profile
SET auth = @auth, https = @https, ca_pem = @ca_pem, plain_basic = @plain_basic,
    address_ranges = @address_ranges, dns_suffixes = @dns_suffixes,
    tls10 = @tls10, trust = @trust, pins = @pins, realm = @realm, kdcs = @kdcs, krb5_conf = @krb5_conf,
    spn_service = @spn_service, updated_by = @updated_by, updated_at = now()
WHERE id = @id;
