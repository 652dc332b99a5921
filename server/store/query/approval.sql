-- name: InsertApproval :one
INSERT INTO approval (wave_id, revision_hash, approved_by, reason)
VALUES (@wave_id, @revision_hash, @approved_by, @reason)
RETURNING id;

-- name: InsertApprovalServer :exec
INSERT INTO approval_server (approval_id, server_id, digest, content)
VALUES (@approval_id, @server_id, @digest, @content);

-- name: WithdrawApproval :execrows
UPDATE approval
SET withdrawn_at = clock_timestamp()
WHERE id = @id
  AND withdrawn_at IS NULL;

-- name: StandingApprovals :many
SELECT a.id AS approval_id, a.wave_id, a.revision_hash, a.at, p.name AS approved_by, s.server_id, s.digest
FROM approval a
JOIN wave w ON w.id = a.wave_id
JOIN person p ON p.id = a.approved_by
JOIN approval_server s ON s.approval_id = a.id
WHERE w.rollout_id = @rollout_id
  AND a.withdrawn_at IS NULL
ORDER BY s.server_id;

-- name: ApprovalSubjects :many
-- The rows as they are now that an approval's digests are built from, locked
-- against change until the transaction ends.
SELECT u.id AS upgrade_id, u.wave_id, s.id AS server_id, s.name, s.fqdn, s.roles, s.site, s.internet_facing, s.build, s.os,
       s.language, s.arch, s.cluster, s.profile, s.mailboxes, s.um_languages, s.services, s.address, s.port
FROM upgrade u
JOIN server s ON s.id = u.server_id
WHERE u.rollout_id = @rollout_id
ORDER BY s.name
FOR SHARE OF s;

-- name: HostsOfRollout :many
SELECT u.id AS upgrade_id, h.id AS host_id, h.name, h.address, h.port, h.facts_at, h.last_probe_at, h.last_probe_outcome
FROM upgrade u
JOIN server_host sh ON sh.server_id = u.server_id
JOIN host h ON h.id = sh.host_id
WHERE u.rollout_id = @rollout_id
ORDER BY h.name;

-- name: LastEditorOfPlan :one
SELECT author_id
FROM revision
WHERE plan_id = @plan_id
ORDER BY number DESC
LIMIT 1;
