-- name: InsertMedia :one
INSERT INTO media (package, languages, arch, file_name, file_sha256, file_size, build, um_languages, setup_sha256, files, tree_size,
                   manifest, manifest_sha256, bundle_sha256, bundle_size, added_by)
VALUES (@package, @languages, @arch, @file_name, sqlc.narg(file_sha256), sqlc.narg(file_size), @build, @um_languages, @setup_sha256, @files, @tree_size,
        @manifest, @manifest_sha256, @bundle_sha256, @bundle_size, @added_by)
ON CONFLICT (bundle_sha256, um_languages) DO NOTHING
RETURNING id;

-- name: MediaList :many
-- All media without their manifests, in the order in which they were added;
-- id 0 = all.
SELECT m.id, m.package, m.languages, m.arch, m.file_name, m.file_sha256, m.file_size, m.build, m.um_languages, m.setup_sha256,
       m.files, m.tree_size, m.manifest_sha256, octet_length(m.manifest) AS manifest_size, m.bundle_sha256, m.bundle_size,
       m.added_by, m.added_at, f.at AS forgotten_at, COALESCE(f.by, '')::text AS forgotten_by,
       (SELECT count(*) FROM (SELECT DISTINCT ON (g.host_id) g.state FROM staging g WHERE g.media_id = m.id ORDER BY g.host_id, g.id DESC) newest
        WHERE newest.state = 'done') AS staged
FROM media m
LEFT JOIN media_forgotten f ON f.media_id = m.id
WHERE (@id::bigint = 0 OR m.id = @id::bigint)
  AND (@bundle_sha256::text = '' OR m.bundle_sha256 = @bundle_sha256::text)
  AND (@manifest_sha256::text = '' OR m.manifest_sha256 = @manifest_sha256::text)
ORDER BY m.id;

-- name: MediumRow :one
-- What a tick needs of one medium, by id or else the newest by its manifest:
-- nothing here is counted over hosts.
SELECT id, package, languages, arch, build, um_languages, setup_sha256, files, tree_size, manifest_sha256, octet_length(manifest) AS manifest_size,
       bundle_sha256, bundle_size
FROM media
WHERE id = @id::bigint
   OR @id::bigint = 0 AND manifest_sha256 = @manifest_sha256::text
ORDER BY id DESC
LIMIT 1;

-- name: MediaUses :many
-- The packages that a medium serves, and the hosts of servers that they are for.
SELECT p.name, p.language, p.arch, p.folder, p.media_id::bigint AS media_id,
       (SELECT count(DISTINCT sh.host_id) FROM server s JOIN server_host sh ON sh.server_id = s.id
        WHERE lower(s.language) = lower(p.language) AND s.arch = p.arch) AS hosts
FROM package p
WHERE p.media_id IS NOT NULL
ORDER BY p.name, p.language;

-- name: MediaManifest :one
SELECT manifest
FROM media
WHERE id = @id;

-- name: MediaOfPackage :one
SELECT p.media_id::bigint AS media_id, p.folder
FROM package p
WHERE lower(p.name) = lower(@package::text)
  AND lower(p.language) = lower(@language::text)
  AND p.arch = @arch
  AND p.media_id IS NOT NULL;

-- name: SetPackageMedia :exec
INSERT INTO package (name, language, arch, folder, setup_sha256, added_by, media_id)
VALUES (@name, @language, @arch, @folder, @setup_sha256, @added_by, @media_id::bigint)
ON CONFLICT (name, language, arch) DO UPDATE
SET folder = excluded.folder, setup_sha256 = excluded.setup_sha256, added_by = excluded.added_by, added_at = now(), media_id = excluded.media_id;

-- name: LockMedia :exec
-- Whoever registers or forgets media is alone until the transaction ends.
SELECT pg_advisory_xact_lock(7102306);

-- name: ForgetMedia :execrows
INSERT INTO media_forgotten (media_id, by, reason)
VALUES (@media_id, @by, @reason)
ON CONFLICT (media_id) DO NOTHING;

-- name: RememberMedia :exec
DELETE FROM media_forgotten
WHERE media_id = @media_id;

-- name: MediaInUse :one
-- What keeps a medium from being forgotten: packages that it serves, and work that is open.
SELECT (SELECT count(*) FROM package p WHERE p.media_id = @id::bigint) AS packages,
       (SELECT count(*) FROM staging g WHERE g.media_id = @id::bigint AND g.state NOT IN ('done', 'skipped', 'failed')) AS stagings,
       (SELECT count(*)
        FROM media m
        JOIN approval_server s ON s.content::jsonb ->> 'manifest_sha256' = m.manifest_sha256
        JOIN approval a ON a.id = s.approval_id AND a.withdrawn_at IS NULL
        JOIN upgrade u ON u.wave_id = a.wave_id AND u.server_id = s.server_id
        JOIN rollout r ON r.id = u.rollout_id
        WHERE m.id = @id::bigint
          AND u.state NOT IN ('done', 'skipped')
          AND (u.started_at IS NOT NULL OR r.state IN ('running', 'paused'))) AS upgrades;

-- name: MediaSources :many
-- Sites as the inventory writes them: sources are kept in lower case.
SELECT COALESCE((SELECT min(s.site) FROM server s WHERE lower(s.site) = m.site), m.site)::text AS site, m.kind, m.base, m.set_by, m.set_at
FROM media_source m
ORDER BY m.site;

-- name: SetMediaSource :exec
INSERT INTO media_source (site, kind, base, set_by)
VALUES (lower(@site::text), @kind, @base, @set_by)
ON CONFLICT (site) DO UPDATE
SET kind = excluded.kind, base = excluded.base, set_by = excluded.set_by, set_at = now();

-- name: RemoveMediaSource :one
DELETE FROM media_source
WHERE site = lower(@site::text)
RETURNING *;

-- name: SpelledSite :one
-- A site as the inventory writes it: sources are kept in lower case.
SELECT COALESCE((SELECT min(site) FROM server WHERE lower(site) = lower(@site::text)), @site::text)::text;

-- name: MediaSourceFor :one
-- What counts for an AD site: its own row, else that of the empty site.
SELECT *
FROM media_source
WHERE site IN (lower(@site::text), '')
ORDER BY site DESC
LIMIT 1;
