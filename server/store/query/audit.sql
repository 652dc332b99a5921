-- name: LockAuditHead :one
SELECT seq, hash
FROM audit_head
FOR UPDATE;

-- name: MoveAuditHead :exec
UPDATE audit_head
SET seq = @seq, hash = @hash;

-- name: AppendAudit :exec
INSERT INTO audit (seq, prev, hash, bytes, at, who, what, subject, rollout)
VALUES (@seq, @prev, @hash, @bytes, @at, @who, @what, @subject, @rollout);

-- name: AuditAfter :many
SELECT seq, prev, hash, bytes, at, who, what, subject, rollout
FROM audit
WHERE seq > @after
ORDER BY seq
LIMIT @max_rows;

-- name: AuditHead :one
SELECT seq, hash
FROM audit_head;
