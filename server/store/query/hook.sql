-- name: AllowedWebhooks :many
SELECT *
FROM webhook
WHERE forbidden_at IS NULL
ORDER BY name;

-- name: AllowedWebhook :one
SELECT *
FROM webhook
WHERE name = @name
  AND forbidden_at IS NULL;

-- name: InsertWebhook :exec
INSERT INTO webhook (name, url, points, networks, ca, sealed, key_id, sha256, allowed_by, reason)
VALUES (@name, @url, @points, @networks, @ca, @sealed, @key_id, @sha256, @allowed_by, @reason);

-- name: ForbidWebhook :one
UPDATE webhook
SET forbidden_at = now(), forbidden_by = @forbidden_by
WHERE name = @name
  AND forbidden_at IS NULL
RETURNING *;
