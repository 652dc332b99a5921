-- +goose Up
-- Trouble: what a person decides about an upgrade that waits for him, what was
-- read from its hosts then, and what was deleted there by his decision.

-- A decision step is in work while decision names it; when it has ended the
-- upgrade is in the state returns again.
ALTER TABLE upgrade
    ADD COLUMN decision    text NOT NULL DEFAULT '',
    ADD COLUMN returns     text NOT NULL DEFAULT '',
    ADD COLUMN decided_by  text NOT NULL DEFAULT '', -- who decided it, by name
    ADD COLUMN output_at   timestamptz, -- something new came: a log line, a percentage, a phase, a step
    ADD COLUMN saved_at    timestamptz NOT NULL DEFAULT now(), -- in the future = the clock was set back since
    ADD CONSTRAINT decision_is_in_work CHECK (decision = '' OR state IN ('running', 'out-of-sight')),
    ADD CONSTRAINT decision_returns_somewhere CHECK ((decision = '') = (returns = '')),
    ADD CONSTRAINT decision_returns_to_a_known_state CHECK (returns IN ('', 'running', 'interrupted', 'unknown', 'failed'));

ALTER TABLE step
    ADD COLUMN limits_from  timestamptz, -- its limits count from here when set, else from its start
    ADD COLUMN soft_at      timestamptz, -- it was found to take longer than expected
    ADD COLUMN silent_at    timestamptz; -- it was last found to be silent for too long

ALTER TABLE host
    ADD COLUMN probe_alive_at timestamptz; -- a process that asks it was alive

-- What was read from a host in trouble, as it was then, redacted before it is stored.
CREATE TABLE evidence (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upgrade_id  bigint NOT NULL REFERENCES upgrade (id),
    host_id     bigint NOT NULL REFERENCES host (id),
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt     integer NOT NULL,
    step        text NOT NULL,
    kind        text NOT NULL,
    name        text NOT NULL,
    data        bytea NOT NULL,
    sha256      text NOT NULL,
    CONSTRAINT evidence_kind_is_a_short_word CHECK (kind ~ '^[a-z][a-z-]{0,31}$'),
    CONSTRAINT evidence_name_is_short CHECK (octet_length(name) <= 512),
    CONSTRAINT evidence_is_at_most_one_megabyte CHECK (octet_length(data) <= 1048576),
    CONSTRAINT evidence_hash_is_of_its_data CHECK (sha256 = encode(sha256(data), 'hex'))
);
CREATE INDEX evidence_by_upgrade ON evidence (upgrade_id, id);
CREATE TRIGGER evidence_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An Action or Watermark value of a role's key that a person had deleted. The
-- newest row of a value counts; it can be put back once.
CREATE TABLE marker (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upgrade_id   bigint NOT NULL REFERENCES upgrade (id),
    host_id      bigint NOT NULL REFERENCES host (id),
    role         text NOT NULL,
    name         text NOT NULL,
    kind         text NOT NULL,
    value        text NOT NULL,
    cleared_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_by   text NOT NULL,
    put_back_at  timestamptz,
    CONSTRAINT marker_is_action_or_watermark CHECK (name IN ('Action', 'Watermark')),
    CONSTRAINT marker_is_short CHECK (octet_length(role) <= 256 AND octet_length(kind) <= 64 AND octet_length(value) <= 4096),
    CONSTRAINT clearing_is_a_named_persons CHECK (cleared_by <> '')
);
CREATE INDEX marker_by_upgrade ON marker (upgrade_id, id);

-- +goose StatementBegin
CREATE FUNCTION marker_keeps_its_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.put_back_at IS NULL
       AND (OLD.id, OLD.upgrade_id, OLD.host_id, OLD.role, OLD.name, OLD.kind, OLD.value, OLD.cleared_at, OLD.cleared_by)
           IS NOT DISTINCT FROM (NEW.id, NEW.upgrade_id, NEW.host_id, NEW.role, NEW.name, NEW.kind, NEW.value, NEW.cleared_at, NEW.cleared_by) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the content of % never changes: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER marker_keeps_its_value BEFORE UPDATE OR DELETE ON marker
    FOR EACH ROW EXECUTE FUNCTION marker_keeps_its_value();
CREATE TRIGGER marker_is_never_emptied BEFORE TRUNCATE ON marker
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- +goose Down
SELECT 'migrations only go forward';
