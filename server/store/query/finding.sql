-- name: SetFinding :exec
INSERT INTO finding (upgrade_id, node, rule, severity, evidence, remedy, waived)
VALUES (@upgrade_id, @node, @rule, @severity, @evidence, @remedy, @waived)
ON CONFLICT (upgrade_id, node, rule) DO UPDATE
SET severity = excluded.severity,
    waived = excluded.waived,
    evidence = excluded.evidence,
    remedy = excluded.remedy,
    at = clock_timestamp();

-- name: FindingsOfUpgrade :many
SELECT id, upgrade_id, node, rule, severity, evidence, remedy, waived, at
FROM finding
WHERE upgrade_id = @upgrade_id
ORDER BY CASE severity WHEN 'blocker' THEN 0 WHEN 'warning' THEN 1 WHEN 'info' THEN 2 ELSE 3 END, rule, node;
