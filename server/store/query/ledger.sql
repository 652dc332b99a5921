-- name: OpenLedger :many
SELECT l.id, l.upgrade_id, l.host_id, h.name AS host, l.kind, l.name, l.before, l.meant, l.changed_at, l.restored_at, l.deviation
FROM ledger l
JOIN host h ON h.id = l.host_id
WHERE l.upgrade_id = @upgrade_id
  AND l.restored_at IS NULL
ORDER BY l.id;

-- name: LedgerOfUpgrade :many
SELECT l.id, l.upgrade_id, l.host_id, h.name AS host, l.kind, l.name, l.before, l.meant, l.changed_at, l.restored_at, l.deviation
FROM ledger l
JOIN host h ON h.id = l.host_id
WHERE l.upgrade_id = @upgrade_id
ORDER BY l.id;

-- name: StoppedServers :many
-- The clustered mailbox servers that were stopped: from when to when they did not
-- serve, over all attempts. Of all upgrades of a rollout, or of one.
SELECT l.upgrade_id, l.changed_at, l.restored_at
FROM ledger l
JOIN upgrade u ON u.id = l.upgrade_id
WHERE u.rollout_id = @rollout_id
  AND (@upgrade_id::bigint = 0 OR u.id = @upgrade_id::bigint)
  AND l.kind = 'cms'
ORDER BY l.upgrade_id, l.changed_at;

-- name: InsertLedger :one
INSERT INTO ledger (upgrade_id, host_id, kind, name, before, meant)
VALUES (@upgrade_id, @host_id, @kind, @name, @before, @meant)
RETURNING id;

-- name: OpenLedgerEntry :one
SELECT id
FROM ledger
WHERE upgrade_id = @upgrade_id
  AND host_id = @host_id
  AND kind = @kind
  AND name = @name
  AND restored_at IS NULL;

-- name: RestoreLedger :one
UPDATE ledger
SET restored_at = clock_timestamp(),
    deviation = @deviation
WHERE id = @id
  AND upgrade_id = @upgrade_id
  AND restored_at IS NULL
RETURNING kind, name;

-- name: AcceptLedger :many
-- What could not be put back stays as it is: a person took it on by name.
UPDATE ledger
SET restored_at = clock_timestamp(),
    deviation = @deviation
WHERE upgrade_id = @upgrade_id
  AND restored_at IS NULL
RETURNING kind, name;

-- name: LearnLedger :execrows
-- What was found of the state before later than the change: what is known stays.
UPDATE ledger
SET before = @found::jsonb || before
WHERE id = @id
  AND restored_at IS NULL
  AND before <> (@found::jsonb || before);
