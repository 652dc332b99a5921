-- name: OrganizationFacts :many
SELECT name, value, source, at, entered_by, reason, confirmed_by
FROM organization_fact
ORDER BY name;

-- name: SetOrganizationFact :exec
-- What was read takes the place of whatever was known.
INSERT INTO organization_fact (name, value, source, at, entered_by, reason)
VALUES (@name, @value, @source, COALESCE(sqlc.narg(at)::timestamptz, now()), @entered_by, @reason)
ON CONFLICT (name) DO UPDATE
SET value = excluded.value,
    source = excluded.source,
    at = excluded.at,
    entered_by = excluded.entered_by,
    reason = excluded.reason,
    confirmed_by = '';

-- name: EnterOrganizationFact :execrows
-- What a person enters takes the place only of what a person entered.
INSERT INTO organization_fact (name, value, source, at, entered_by, reason, confirmed_by)
VALUES (@name, @value, @source, now(), @entered_by, @reason, @confirmed_by)
ON CONFLICT (name) DO UPDATE
SET value = excluded.value,
    at = excluded.at,
    entered_by = excluded.entered_by,
    reason = excluded.reason,
    confirmed_by = excluded.confirmed_by
WHERE organization_fact.source = excluded.source;

-- name: DropOrganizationFact :execrows
-- Only what was known then: what was read since is not what a person took back.
DELETE FROM organization_fact
WHERE name = @name AND at <= @known_at;

-- name: OrganizationWishes :many
SELECT id, name, value, asked_by, asked_by_id, asked_at, reason
FROM organization_wish
ORDER BY name;

-- name: InsertOrganizationWish :one
INSERT INTO organization_wish (name, value, asked_by, asked_by_id, reason)
VALUES (@name, @value, @asked_by, @asked_by_id, @reason)
ON CONFLICT (name) DO NOTHING
RETURNING id;

-- name: TakeOrganizationWish :one
DELETE FROM organization_wish
WHERE id = @id
RETURNING id, name, value, asked_by, asked_by_id, asked_at, reason;
