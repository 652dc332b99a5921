-- name: SetFinding :exec
INSERT INTO finding (upgrade_id, rule, severity, evidence, remedy)
VALUES (@upgrade_id, @rule, @severity, @evidence, @remedy)
ON CONFLICT (upgrade_id, rule) DO UPDATE
SET severity = excluded.severity,
    evidence = excluded.evidence,
    remedy = excluded.remedy,
    at = clock_timestamp();

-- name: FindingsOfUpgrade :many
SELECT id, upgrade_id, rule, severity, evidence, remedy, at
FROM finding
WHERE upgrade_id = @upgrade_id
ORDER BY CASE severity WHEN 'blocker' THEN 0 WHEN 'warning' THEN 1 WHEN 'info' THEN 2 ELSE 3 END, rule;
