-- name: HostByName :one
SELECT *
FROM host
WHERE name = @name;

-- name: HostByID :one
SELECT *
FROM host
WHERE id = @id;

-- name: AddHost :one
INSERT INTO host (name, address, port)
VALUES (@name, @address, @port)
RETURNING id;

-- name: MoveHost :exec
-- A host that answers elsewhere is another machine until it was asked.
UPDATE host
SET address = @address, port = @port, facts_at = NULL, probe_asked_at = NULL, last_probe_at = NULL, last_probe_outcome = '', last_probe_error = ''
WHERE id = @id;

-- name: HostsOfServer :many
SELECT h.*
FROM host h
JOIN server_host sh ON sh.host_id = h.id
WHERE sh.server_id = @server_id
ORDER BY h.name;

-- name: AllServerHosts :many
SELECT sh.server_id, h.id, h.name, h.address, h.port, h.facts_at, h.last_probe_at, h.last_probe_outcome, h.last_probe_error
FROM server_host sh
JOIN host h ON h.id = sh.host_id
ORDER BY sh.server_id, h.name;

-- name: LinkHost :exec
INSERT INTO server_host (server_id, host_id)
VALUES (@server_id, @host_id)
ON CONFLICT DO NOTHING;

-- name: UnlinkHosts :exec
DELETE FROM server_host
WHERE server_id = @server_id
  AND host_id <> ALL (@keep::bigint[]);

-- name: ServersOfHost :many
SELECT s.*
FROM server s
JOIN server_host sh ON sh.server_id = s.id
WHERE sh.host_id = @host_id
ORDER BY s.name;

-- name: ProbeAlive :exec
UPDATE host
SET probe_alive_at = clock_timestamp()
WHERE id = @id;
