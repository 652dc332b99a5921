-- name: LastSetupLogLine :one
SELECT COALESCE(max(line), 0)::bigint AS line
FROM setup_log
WHERE upgrade_id = @upgrade_id;

-- name: InsertSetupLog :copyfrom
INSERT INTO setup_log (upgrade_id, line, text)
VALUES (@upgrade_id, @line, @text);

-- name: SetupLogAfter :many
SELECT line, text, at
FROM setup_log
WHERE upgrade_id = @upgrade_id
  AND line > @after
ORDER BY line
LIMIT @max_rows;

-- name: SetupLogTail :many
SELECT line, text, at
FROM (
    SELECT line, text, at
    FROM setup_log
    WHERE upgrade_id = @upgrade_id
    ORDER BY line DESC
    LIMIT @max_rows) AS tail
ORDER BY line;
