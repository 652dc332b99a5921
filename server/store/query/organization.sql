-- name: OrganizationFacts :many
SELECT name, value, source, at, entered_by, reason
FROM organization_fact
ORDER BY name;

-- name: SetOrganizationFact :exec
INSERT INTO organization_fact (name, value, source, at, entered_by, reason)
VALUES (@name, @value, @source, COALESCE(sqlc.narg(at)::timestamptz, now()), @entered_by, @reason)
ON CONFLICT (name) DO UPDATE
SET value = excluded.value,
    source = excluded.source,
    at = excluded.at,
    entered_by = excluded.entered_by,
    reason = excluded.reason;

-- name: DropOrganizationFact :execrows
DELETE FROM organization_fact
WHERE name = @name;
