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
SELECT a.id AS approval_id, a.wave_id, a.revision_hash, a.at, p.name AS approved_by, s.server_id, s.digest, s.content
FROM approval a
JOIN wave w ON w.id = a.wave_id
JOIN person p ON p.id = a.approved_by
JOIN approval_server s ON s.approval_id = a.id
WHERE w.rollout_id = @rollout_id
  AND a.withdrawn_at IS NULL
ORDER BY s.server_id;

-- name: ApprovalSubjects :many
-- The rows as they are now that approvals' digests are built from; server 0 = all.
SELECT u.id AS upgrade_id, u.runbook, u.wave_id, w.number AS wave, u.started_at, s.id AS server_id, s.name, s.fqdn, s.roles, s.site, s.build,
       s.language, s.arch, s.profile, s.services, s.cluster,
       COALESCE(k.folder, '')::text AS folder,
       COALESCE(k.setup_sha256, '')::text AS setup_sha256,
       COALESCE(m.manifest_sha256, '')::text AS manifest_sha256,
       COALESCE(k2.folder, '')::text AS then_folder,
       COALESCE(k2.setup_sha256, '')::text AS then_sha256,
       COALESCE(m2.manifest_sha256, '')::text AS then_manifest,
       ARRAY(
           SELECT DISTINCT o.name
           FROM server_host mine
           JOIN server_host theirs ON theirs.host_id = mine.host_id
           JOIN server o ON o.id = theirs.server_id
           WHERE mine.server_id = s.id
           ORDER BY o.name)::text[] AS servers,
       COALESCE(c.account, '')::text AS run_as
FROM upgrade u
JOIN wave w ON w.id = u.wave_id
JOIN server s ON s.id = u.server_id
LEFT JOIN package k ON lower(k.name) = lower(@package::text) AND lower(k.language) = lower(s.language) AND k.arch = s.arch
LEFT JOIN media m ON m.id = k.media_id
LEFT JOIN package k2 ON lower(k2.name) = lower(@then_package::text) AND lower(k2.language) = lower(s.language) AND k2.arch = s.arch
LEFT JOIN media m2 ON m2.id = k2.media_id
LEFT JOIN profile p ON lower(p.name) = lower(s.profile)
LEFT JOIN credential c ON c.profile_id = p.id AND c.purpose = 'runas'
WHERE u.rollout_id = @rollout_id
  AND (@server_id::bigint = 0 OR u.server_id = @server_id::bigint)
ORDER BY s.name;

-- name: ApprovedContent :one
-- What the standing approval of an upgrade's wave says about its server.
SELECT s.content
FROM upgrade u
JOIN approval a ON a.wave_id = u.wave_id AND a.withdrawn_at IS NULL
JOIN approval_server s ON s.approval_id = a.id AND s.server_id = u.server_id
WHERE u.id = @upgrade_id;

-- name: ServerOfUpgrade :one
SELECT server_id
FROM upgrade
WHERE id = @id;

-- name: LockFleet :exec
-- Whoever starts servers or changes where they are is alone, over all rollouts,
-- until the transaction ends.
SELECT pg_advisory_xact_lock(7102305);

-- name: FreezeServer :exec
-- The server and its hosts cannot change before the transaction ends.
SELECT s.id
FROM server s
JOIN server_host sh ON sh.server_id = s.id
JOIN host h ON h.id = sh.host_id
WHERE s.id = @id
ORDER BY h.id
FOR SHARE OF s, h;

-- name: LockServers :many
-- The servers stay as they are until the transaction ends, but for what it does.
SELECT id
FROM server
WHERE id = ANY (@ids::bigint[])
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockHosts :many
SELECT id
FROM host
WHERE name = ANY (@names::text[])
ORDER BY id
FOR NO KEY UPDATE;

-- name: ServerInWorkOnHost :one
-- A server in work on the host of that name, or ''. One that waits for a new
-- attempt is, too, as ServerInWork has it.
SELECT COALESCE(min(s.name), '')::text
FROM host h
JOIN server_host sh ON sh.host_id = h.id
JOIN server s ON s.id = sh.server_id
JOIN upgrade u ON u.server_id = s.id
WHERE h.name = @name
  AND (u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')
           OR u.state IN ('waiting', 'held')
           AND u.started_at IS NOT NULL
           AND (EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL)
                OR EXISTS (SELECT 1 FROM step st WHERE st.upgrade_id = u.id AND st.no_return AND st.state <> 'done' AND st.memory ->> 'created' IS NOT NULL)));

-- name: HostsOfRollout :many
SELECT u.id AS upgrade_id, h.id AS host_id, h.name, h.address, h.port
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
