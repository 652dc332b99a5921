-- name: FactsOfHost :many
SELECT host_id, name, value, source, at
FROM fact
WHERE host_id = @host_id
ORDER BY name;

-- name: FactsOfHosts :many
SELECT host_id, name, value, source, at
FROM fact
WHERE host_id = ANY (@hosts::bigint[])
ORDER BY host_id, name;

-- name: ClearFacts :exec
DELETE FROM fact
WHERE host_id = @host_id;
