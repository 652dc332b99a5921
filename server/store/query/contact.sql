-- name: KeepContact :execrows
-- Kept only for the machine that was asked: a host that moved since is another one.
INSERT INTO first_contact (host_id, by_name, outcome, error, steps)
SELECT h.id, @by_name, @outcome, @error, @steps
FROM host h
WHERE h.id = @host_id
  AND h.address = @address
  AND h.port = @port
ON CONFLICT (host_id) DO UPDATE
SET at = clock_timestamp(), by_name = excluded.by_name, outcome = excluded.outcome, error = excluded.error, steps = excluded.steps;

-- name: ContactOf :one
SELECT *
FROM first_contact
WHERE host_id = @host_id;

-- name: KeepConstant :exec
INSERT INTO constant_check (host_id, name, windows, expected, found, verdict)
VALUES (@host_id, @name, @windows, @expected, @found, @verdict)
ON CONFLICT (host_id, name) DO UPDATE
SET windows = excluded.windows, expected = excluded.expected, found = excluded.found, verdict = excluded.verdict, at = clock_timestamp();

-- name: DropConstants :exec
-- What is no constant any more is no finding.
DELETE FROM constant_check
WHERE host_id = @host_id
  AND name <> ALL (@keep::text[]);

-- name: ConstantsOfHost :many
SELECT *
FROM constant_check
WHERE host_id = @host_id
ORDER BY name;

-- name: ConstantCounts :many
-- How many hosts of which Windows said what.
SELECT name, windows, verdict, count(*)::int AS hosts, max(at)::timestamptz AS last_at
FROM constant_check
GROUP BY name, windows, verdict
ORDER BY name, windows, verdict;

-- name: ConstantContradicted :many
-- What hosts said instead, the newest first.
SELECT c.name, h.name AS host, c.found, c.windows, c.at,
       (SELECT s.name FROM server s JOIN server_host sh ON sh.server_id = s.id WHERE sh.host_id = h.id ORDER BY s.name LIMIT 1)::text AS server
FROM constant_check c
JOIN host h ON h.id = c.host_id
WHERE c.verdict = 'differs'
ORDER BY c.name, c.at DESC, h.name
LIMIT 1000;

-- name: HostsAt :many
-- Hosts that a command line may mean: by their own address and port, or by name.
SELECT id, name, address, port
FROM host
WHERE (address = @address AND port IN (0, @port))
   OR upper(name) = upper(@address)
ORDER BY id
LIMIT 2;
