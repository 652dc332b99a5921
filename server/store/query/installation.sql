-- name: Installation :one
SELECT id, demo, created_at
FROM installation;

-- name: AddInstallation :exec
INSERT INTO installation (id, demo)
VALUES (@id, @demo)
ON CONFLICT DO NOTHING;
