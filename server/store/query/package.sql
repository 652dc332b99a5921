-- name: Packages :many
SELECT *
FROM package
ORDER BY name, language, arch;

-- name: PackageFor :one
SELECT *
FROM package
WHERE name = @name
  AND language = @language
  AND arch = @arch;

-- name: SetPackage :exec
INSERT INTO package (name, language, arch, folder, setup_sha256, added_by)
VALUES (@name, @language, @arch, @folder, @setup_sha256, @added_by)
ON CONFLICT (name, language, arch) DO UPDATE
SET folder = excluded.folder, setup_sha256 = excluded.setup_sha256, added_by = excluded.added_by, added_at = now(),
    media_id = NULL; -- what lies there already is registered by hand, without a medium

-- name: SetPreparation :exec
INSERT INTO preparation (package, recorded_by, reason, versions, done_by, rollout_id)
VALUES (@package, @recorded_by, @reason, @versions, @done_by, sqlc.narg('rollout_id'))
ON CONFLICT (package) DO UPDATE
SET recorded_by = excluded.recorded_by, reason = excluded.reason, versions = excluded.versions, done_by = excluded.done_by,
    rollout_id = excluded.rollout_id, at = now();

-- name: PreparationFor :one
SELECT *
FROM preparation
WHERE package = @package;

-- name: Preparations :many
SELECT *
FROM preparation
ORDER BY package;
