-- name: InsertEvidence :exec
INSERT INTO evidence (upgrade_id, host_id, attempt, step, kind, name, data, sha256)
VALUES (@upgrade_id, @host_id,
        COALESCE((SELECT st.attempt FROM step st WHERE st.upgrade_id = @upgrade_id AND st.name = @step::text), 1),
        @step::text, @kind, @name, @data::bytea, encode(sha256(@data::bytea), 'hex'));

-- name: EvidenceOfUpgrade :many
SELECT e.id, e.host_id, h.name AS host, e.at, e.attempt, e.step, e.kind, e.name, octet_length(e.data) AS size, e.sha256
FROM evidence e
JOIN host h ON h.id = e.host_id
WHERE e.upgrade_id = @upgrade_id
ORDER BY e.id;

-- name: EvidenceFile :one
SELECT e.id, h.name AS host, e.at, e.attempt, e.step, e.kind, e.name, e.data, e.sha256
FROM evidence e
JOIN host h ON h.id = e.host_id
WHERE e.upgrade_id = @upgrade_id
  AND e.id = @id;
