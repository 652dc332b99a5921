-- +goose Up
-- Checks: preflight outside upgrades, what it found and what of that a person
-- accepted; fixes; what is known of the organization; settings of the program.

-- A request for checks of several servers at one time: what is shown as one
-- progress and cancelled together.
CREATE TABLE check_batch (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package       text NOT NULL,
    asked_by      text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    asked_at      timestamptz NOT NULL DEFAULT now(),
    cancelled_at  timestamptz,
    cancelled_by  text NOT NULL DEFAULT '',
    CONSTRAINT check_batch_names_its_package CHECK (package <> ''),
    CONSTRAINT cancelling_is_a_named_persons CHECK ((cancelled_at IS NULL) = (cancelled_by = ''))
);

-- A fix: a safe and reversible repair of one host, asked for by one person and
-- approved by another. What it changed is in fix_change.
CREATE TABLE fix (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    server_id     bigint NOT NULL REFERENCES server (id) ON DELETE CASCADE,
    host_id       bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    rule          text NOT NULL DEFAULT '', -- whose finding it answers
    choice        jsonb NOT NULL DEFAULT '{}', -- what the person chose to have done, where the fix has a choice
    state         text NOT NULL DEFAULT 'asked',
    reason        text NOT NULL,
    asked_by      text NOT NULL,
    asked_by_id   bigint REFERENCES person (id), -- NULL = the command line
    asked_at      timestamptz NOT NULL DEFAULT now(),
    decided_by    text NOT NULL DEFAULT '',
    decided_by_id bigint REFERENCES person (id),
    decided_at    timestamptz,
    decision      text NOT NULL DEFAULT '', -- the reason of whoever decided
    undone_by     text NOT NULL DEFAULT '', -- who had it undone
    message       text NOT NULL DEFAULT '', -- how it ended
    ended_at      timestamptz,
    CONSTRAINT fix_state_is_known CHECK (state IN ('asked', 'refused', 'approved', 'done', 'failed', 'undoing', 'undone', 'kept')),
    CONSTRAINT fix_has_a_reason CHECK (reason <> ''),
    CONSTRAINT fix_is_decided_by_a_named_person CHECK ((state = 'asked') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by = '')),
    CONSTRAINT nobody_approves_a_fix_of_his_own CHECK (state = 'refused' OR decided_by_id IS NULL OR asked_by_id IS NULL OR decided_by_id <> asked_by_id)
);
CREATE UNIQUE INDEX one_open_fix_per_host_and_name ON fix (host_id, name) WHERE state IN ('asked', 'approved', 'undoing');
CREATE INDEX fix_by_server ON fix (server_id, id);

-- What a fix changed on its host, with the state found before, as the ledger of
-- an upgrade. It is put back only when a person has the fix undone.
CREATE TABLE fix_change (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fix_id       bigint NOT NULL REFERENCES fix (id) ON DELETE CASCADE,
    kind         text NOT NULL,
    name         text NOT NULL,
    before       jsonb NOT NULL,
    meant        jsonb NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    restored_at  timestamptz,
    deviation    text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX one_open_change_per_thing_and_fix ON fix_change (fix_id, kind, name) WHERE restored_at IS NULL;

-- A run of a short runbook on one host outside upgrades: a check, a look at the
-- organization, a fix or its undoing. Its states and moves are those of an upgrade.
CREATE TABLE host_run (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    runbook       text NOT NULL,
    host_id       bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    server_id     bigint NOT NULL REFERENCES server (id) ON DELETE CASCADE,
    package       text NOT NULL DEFAULT '', -- judged for
    batch_id      bigint REFERENCES check_batch (id),
    fix_id        bigint REFERENCES fix (id),
    state         text NOT NULL DEFAULT 'waiting',
    step          text NOT NULL DEFAULT '', -- of the runbook; empty = not begun
    ended         text NOT NULL DEFAULT '', -- how it ends once nothing of it is left on the host
    memory        jsonb NOT NULL DEFAULT '{}', -- of all its steps, by step and key
    generation    bigint NOT NULL DEFAULT 1,
    message       text NOT NULL DEFAULT '',
    remedy        text NOT NULL DEFAULT '',
    asked_by      text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    asked_at      timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL DEFAULT now(),
    saved_at      timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    judged_at     timestamptz, -- when its findings were found
    ended_at      timestamptz,
    CONSTRAINT run_kind_is_known CHECK (kind IN ('check', 'organization', 'fix', 'undo')),
    CONSTRAINT run_state_is_known CHECK (state IN ('waiting', 'held', 'running', 'paused', 'out-of-sight', 'interrupted', 'unknown', 'failed', 'skipped', 'done')),
    CONSTRAINT run_ends_as_it_is_to_end CHECK (ended IN ('', 'failed', 'skipped', 'done')),
    CONSTRAINT ended_run_has_an_end CHECK ((state IN ('done', 'skipped', 'failed')) = (ended_at IS NOT NULL)),
    CONSTRAINT check_names_its_package CHECK ((kind = 'check') = (package <> '')),
    CONSTRAINT only_a_fix_has_a_fix CHECK ((kind IN ('fix', 'undo')) = (fix_id IS NOT NULL)),
    CONSTRAINT only_checks_come_in_batches CHECK (batch_id IS NULL OR kind = 'check')
);
CREATE UNIQUE INDEX one_open_run_per_host_and_purpose ON host_run (host_id, kind, package, COALESCE(fix_id, 0)) WHERE state NOT IN ('done', 'skipped', 'failed');
CREATE INDEX run_open ON host_run (due_at) WHERE state NOT IN ('done', 'skipped', 'failed');
CREATE INDEX run_by_batch ON host_run (batch_id);
CREATE INDEX run_by_fix ON host_run (fix_id);
CREATE INDEX run_by_host ON host_run (host_id, kind, package, id DESC);

-- What a check found. A pass is kept as evidence.
CREATE TABLE check_finding (
    run_id    bigint NOT NULL REFERENCES host_run (id) ON DELETE CASCADE,
    position  integer NOT NULL, -- the rules' order
    rule      text NOT NULL,
    severity  text NOT NULL,
    text      text NOT NULL,
    evidence  text NOT NULL DEFAULT '',
    remedy    text NOT NULL DEFAULT '',
    source    text NOT NULL DEFAULT '',
    waivable  boolean NOT NULL DEFAULT false,
    fix       text NOT NULL DEFAULT '',
    unread    boolean NOT NULL DEFAULT false, -- what the rule asks for could not be read
    facts_at  timestamptz, -- the oldest of the facts that it rests on
    PRIMARY KEY (run_id, rule),
    CONSTRAINT finding_severity_is_known CHECK (severity IN ('blocker', 'warning', 'info', 'pass'))
);

-- A waiver accepts one finding of one server for one package until an end. Asked
-- for by one person, granted by an operator who neither asked nor planned.
CREATE TABLE waiver (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id      bigint NOT NULL REFERENCES server (id) ON DELETE CASCADE,
    package        text NOT NULL,
    rule           text NOT NULL,
    severity       text NOT NULL, -- what was accepted, in the finding's own words
    text           text NOT NULL,
    evidence       text NOT NULL DEFAULT '',
    reason         text NOT NULL,
    until_at       timestamptz NOT NULL,
    asked_by       text NOT NULL,
    asked_by_id    bigint REFERENCES person (id), -- NULL = the command line
    asked_at       timestamptz NOT NULL DEFAULT now(),
    state          text NOT NULL DEFAULT 'asked',
    decided_by     text NOT NULL DEFAULT '',
    decided_by_id  bigint REFERENCES person (id),
    decided_at     timestamptz,
    decision       text NOT NULL DEFAULT '',
    withdrawn_by   text NOT NULL DEFAULT '',
    withdrawn_at   timestamptz,
    withdrawal     text NOT NULL DEFAULT '',
    CONSTRAINT waiver_state_is_known CHECK (state IN ('asked', 'granted', 'refused', 'withdrawn')),
    CONSTRAINT waiver_has_a_reason CHECK (reason <> ''),
    CONSTRAINT waiver_accepts_what_does_not_pass CHECK (severity IN ('blocker', 'warning')),
    CONSTRAINT waiver_ends_within_thirty_days CHECK (until_at > asked_at AND until_at <= asked_at + interval '30 days'),
    CONSTRAINT waiver_is_decided_by_a_named_person CHECK ((decided_at IS NULL) = (decided_by = '')),
    CONSTRAINT granted_waiver_was_decided CHECK (state NOT IN ('granted', 'refused') OR decided_at IS NOT NULL),
    CONSTRAINT nobody_grants_a_waiver_of_his_own CHECK (state = 'refused' OR decided_by_id IS NULL OR asked_by_id IS NULL OR decided_by_id <> asked_by_id),
    CONSTRAINT withdrawing_is_a_named_persons CHECK ((state = 'withdrawn') = (withdrawn_at IS NOT NULL) AND (withdrawn_at IS NULL) = (withdrawn_by = ''))
);
CREATE UNIQUE INDEX one_waiver_is_asked_for_at_a_time ON waiver (server_id, package, rule) WHERE state = 'asked';
CREATE INDEX waiver_by_server ON waiver (server_id, package, rule);

-- What was accepted and why never changes; only what became of it does.
-- +goose StatementBegin
CREATE FUNCTION waiver_keeps_its_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.server_id, OLD.package, OLD.rule, OLD.severity, OLD.text, OLD.evidence, OLD.reason, OLD.until_at, OLD.asked_by, OLD.asked_by_id, OLD.asked_at)
       IS NOT DISTINCT FROM (NEW.id, NEW.server_id, NEW.package, NEW.rule, NEW.severity, NEW.text, NEW.evidence, NEW.reason, NEW.until_at, NEW.asked_by, NEW.asked_by_id, NEW.asked_at)
       AND (OLD.decided_at IS NULL OR (OLD.decided_by, OLD.decided_by_id, OLD.decided_at, OLD.decision) IS NOT DISTINCT FROM (NEW.decided_by, NEW.decided_by_id, NEW.decided_at, NEW.decision))
       AND OLD.withdrawn_at IS NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the content of % never changes: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER waiver_keeps_its_content BEFORE UPDATE ON waiver
    FOR EACH ROW EXECUTE FUNCTION waiver_keeps_its_content();

-- What is known of the organization, read once by a host task on a host that a
-- person named, or entered by hand.
CREATE TABLE organization_fact (
    name        text PRIMARY KEY,
    value       jsonb NOT NULL,
    source      text NOT NULL, -- "read on MBX01", or "entered by hand"
    at          timestamptz NOT NULL,
    entered_by  text NOT NULL, -- who entered it, or asked for the reading
    reason      text NOT NULL,
    CONSTRAINT organization_fact_has_a_name CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    CONSTRAINT organization_fact_has_a_reason CHECK (reason <> '' AND entered_by <> ''),
    CONSTRAINT organization_fact_is_short CHECK (octet_length(value::text) <= 1048576)
);

-- Values that an admin set in place of what the program takes.
CREATE TABLE setting (
    name    text PRIMARY KEY,
    value   jsonb NOT NULL,
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT now(),
    reason  text NOT NULL,
    CONSTRAINT setting_has_a_reason CHECK (reason <> '')
);

-- +goose Down
SELECT 'migrations only go forward';
