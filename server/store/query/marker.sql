-- name: InsertMarker :exec
INSERT INTO marker (upgrade_id, host_id, role, name, kind, value, cleared_by)
VALUES (@upgrade_id, @host_id, @role, @name, @kind, @value, @cleared_by);

-- name: LastMarker :one
-- The newest row of one value counts.
SELECT id, kind, value, put_back_at
FROM marker
WHERE upgrade_id = @upgrade_id
  AND host_id = @host_id
  AND role = @role
  AND name = @name
ORDER BY id DESC
LIMIT 1;

-- name: PutBackMarker :execrows
UPDATE marker
SET put_back_at = clock_timestamp()
WHERE id = @id
  AND put_back_at IS NULL;

-- name: MarkersOfUpgrade :many
SELECT m.id, h.name AS host, m.role, m.name, m.kind, m.value, m.cleared_at, m.cleared_by, m.put_back_at,
       (m.put_back_at IS NULL AND NOT EXISTS (
           SELECT 1
           FROM marker n
           WHERE n.upgrade_id = m.upgrade_id AND n.host_id = m.host_id AND n.role = m.role AND n.name = m.name AND n.id > m.id))::boolean AS open
FROM marker m
JOIN host h ON h.id = m.host_id
WHERE m.upgrade_id = @upgrade_id
ORDER BY m.id;
