-- +goose Up
-- Many runbooks: an upgrade names the one by which it goes; a plan may prepare the
-- organization, and may have a second package.

ALTER TABLE plan
    ADD COLUMN kind          text NOT NULL DEFAULT '', -- '' = servers get the package; organization = it is prepared for it
    ADD COLUMN then_package  text NOT NULL DEFAULT '', -- installed after the first; '' = none
    ADD CONSTRAINT plan_kind_is_known CHECK (kind IN ('', 'organization')),
    ADD CONSTRAINT organization_gets_one_package CHECK (kind = '' OR then_package = '');

ALTER TABLE upgrade
    ADD COLUMN runbook  text NOT NULL DEFAULT 'standalone-service-pack',
    ADD COLUMN hooked   boolean NOT NULL DEFAULT false, -- a hook of the user's failed, which stops this server and not its wave
    ADD CONSTRAINT upgrade_names_its_runbook CHECK (runbook <> '');
ALTER TABLE upgrade ALTER COLUMN runbook DROP DEFAULT;

-- A runbook of a cluster has more than a hundred steps: those of decisions come
-- from position 10001 on.
ALTER TABLE step
    ADD COLUMN no_return  boolean NOT NULL DEFAULT false, -- there is no way back from what it does
    ADD COLUMN node       text NOT NULL DEFAULT ''; -- the host that it worked on last; '' = it has not begun
UPDATE step
SET position = position + 9900
WHERE position > 100;
UPDATE step
SET no_return = true
WHERE name = 'setup';

-- Evidence names its step: no two of an upgrade have one name. A decision of the
-- name of a step of its runbook gets another.
UPDATE step
SET name = name || '-decided'
WHERE position > 10000
  AND EXISTS (SELECT FROM step AS other WHERE other.upgrade_id = step.upgrade_id AND other.name = step.name AND other.id <> step.id);
CREATE UNIQUE INDEX step_name_is_unique_in_its_upgrade ON step (upgrade_id, name);

-- When the steps of attempts before the present one were worked on: what began in
-- one attempt, such as the time without failover, may end in a later one.
CREATE TABLE earlier_step (
    upgrade_id  bigint NOT NULL REFERENCES upgrade (id),
    name        text NOT NULL,
    attempt     integer NOT NULL,
    started_at  timestamptz, -- NULL = it was passed over
    done_at     timestamptz, -- NULL = it failed, or came to no end
    ran         boolean NOT NULL, -- a program of it was begun on its host
    PRIMARY KEY (upgrade_id, name, attempt)
);

-- Pages ask for all that an upgrade changed, restored or not.
CREATE INDEX ledger_of_upgrade ON ledger (upgrade_id);

-- The nodes of a cluster are judged one by one.
ALTER TABLE finding
    ADD COLUMN node    text NOT NULL DEFAULT '', -- of a cluster: the host that was judged
    ADD COLUMN waived  boolean NOT NULL DEFAULT false, -- a person accepted it, on the record
    DROP CONSTRAINT one_verdict_per_rule,
    ADD CONSTRAINT one_verdict_per_rule_and_node UNIQUE (upgrade_id, node, rule);

-- The versions of schema, organization and domains that were read when it was
-- recorded, and who did it when it was not this program.
ALTER TABLE preparation
    ADD COLUMN versions  jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN done_by   text NOT NULL DEFAULT '',
    ADD COLUMN rollout_id bigint REFERENCES rollout (id); -- the one that prepared it; NULL = others did

-- +goose Down
SELECT 'migrations only go forward';
