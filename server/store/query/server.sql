-- name: AllServers :many
SELECT *
FROM server
ORDER BY name;

-- name: ServersByName :many
SELECT *
FROM server
WHERE name = ANY (@names::text[])
ORDER BY name;

-- name: ServerByID :one
SELECT *
FROM server
WHERE id = @id;

-- name: ServerByName :one
SELECT *
FROM server
WHERE name = @name;

-- name: AddServer :one
INSERT INTO server (name, fqdn, roles, site, internet_facing, build, os, language, arch, cluster, profile, mailboxes, um_languages, services, tags, address, port, imported_by)
VALUES (@name, @fqdn, @roles, @site, @internet_facing, @build, @os, @language, @arch, @cluster, @profile, @mailboxes, @um_languages, @services, @tags, @address, @port, @imported_by)
RETURNING id;

-- name: ChangeServer :exec
UPDATE server
SET fqdn = @fqdn, roles = @roles, site = @site, internet_facing = @internet_facing, build = @build, os = @os,
    language = @language, arch = @arch, cluster = @cluster, profile = @profile, mailboxes = @mailboxes,
    um_languages = @um_languages, services = @services, tags = @tags, address = @address, port = @port,
    imported_by = @imported_by, imported_at = now()
WHERE id = @id;

-- name: ServersOnHostsOf :many
-- The server and the others on its hosts: all clustered mailbox servers of a
-- cluster.
SELECT DISTINCT s.*
FROM server s
LEFT JOIN server_host theirs ON theirs.server_id = s.id
LEFT JOIN server_host own ON own.host_id = theirs.host_id AND own.server_id = @server_id
WHERE s.id = @server_id
   OR own.server_id IS NOT NULL
ORDER BY s.name;

-- name: ServerInWork :one
-- Whether an upgrade other than the one named has the server, or another one on
-- its hosts, in work. One that
-- waits for a new attempt has it, too, while what it changed is not put back or
-- a Setup task of it may still run.
SELECT EXISTS (
    SELECT 1
    FROM upgrade u
    WHERE u.server_id IN (
        SELECT @server_id::bigint
        UNION
        SELECT other.server_id
        FROM server_host mine
        JOIN server_host other ON other.host_id = mine.host_id
        WHERE mine.server_id = @server_id::bigint)
      AND u.id <> @upgrade_id
      AND (u.state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown')
           OR u.state IN ('waiting', 'held')
           AND u.started_at IS NOT NULL
           AND (EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = u.id AND l.restored_at IS NULL)
                OR EXISTS (SELECT 1 FROM step st WHERE st.upgrade_id = u.id AND st.no_return AND st.state <> 'done' AND st.memory ->> 'created' IS NOT NULL)))
);
