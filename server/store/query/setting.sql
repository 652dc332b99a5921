-- name: Settings :many
SELECT name, value, set_by, set_at, reason
FROM setting
ORDER BY name;

-- name: SetSetting :exec
INSERT INTO setting (name, value, set_by, reason)
VALUES (@name, @value, @set_by, @reason)
ON CONFLICT (name) DO UPDATE
SET value = excluded.value,
    set_by = excluded.set_by,
    set_at = now(),
    reason = excluded.reason;

-- name: DropSetting :execrows
DELETE FROM setting
WHERE name = @name;
