-- name: AddPerson :one
INSERT INTO person (name, display_name, password_hash, roles)
VALUES (@name, @display_name, @password_hash, @roles)
RETURNING id;

-- name: PersonByName :one
SELECT *
FROM person
WHERE name = @name;

-- name: PersonByID :one
SELECT *
FROM person
WHERE id = @id;

-- name: People :many
SELECT *
FROM person
ORDER BY name;

-- name: SetPassword :exec
UPDATE person
SET password_hash = @password_hash
WHERE id = @id;

-- name: SetDisabled :exec
UPDATE person
SET disabled = @disabled
WHERE id = @id;

-- name: SetRoles :exec
UPDATE person
SET roles = @roles
WHERE id = @id;

-- name: SetPreferences :exec
UPDATE person
SET language = @language, theme = @theme, zone = @zone
WHERE id = @id;

-- name: CountAdmins :one
SELECT count(*)
FROM person
WHERE 'admin' = ANY (roles)
  AND NOT disabled;

-- name: LockPeople :exec
SELECT pg_advisory_xact_lock(7102306);

-- name: RightsOf :one
-- The rights of who acts, as they stay until the transaction ends.
SELECT roles, disabled
FROM person
WHERE id = @id
FOR SHARE;
