-- name: LeaveUpgrade :execrows
-- What unwinds on a host that is silent ends here: a tick that comes late finds
-- another generation.
UPDATE upgrade
SET state = 'skipped',
    reasons = '[]',
    message = @message,
    remedy = '',
    skipping = false,
    generation = generation + 1,
    due_at = NULL,
    saved_at = clock_timestamp(),
    ended_at = clock_timestamp()
WHERE upgrade.id = @id
  AND upgrade.state = 'running'
  AND upgrade.unwinding
  AND upgrade.decision = ''
  AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.upgrade_id = upgrade.id AND l.restored_at IS NULL);

-- name: LeaveStep :execrows
-- The step that put back in vain.
UPDATE step
SET state = 'failed',
    message = @message,
    ended_at = clock_timestamp()
WHERE upgrade_id = @upgrade_id
  AND name = @name
  AND state = 'running';
