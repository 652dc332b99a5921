-- +goose Up
-- The whole first schema. Words are those of the README's glossary; a
-- constraint's name reads as the rule that it holds.

-- Installation: one row; its id is part of every name that is left on a host.
CREATE TABLE installation (
    only_one    boolean PRIMARY KEY DEFAULT true,
    id          text NOT NULL,
    demo        boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT there_is_one_installation CHECK (only_one),
    CONSTRAINT installation_id_is_eight_hex_digits CHECK (id ~ '^[0-9a-f]{8}$')
);

-- People -------------------------------------------------------------------
CREATE TABLE person (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    display_name   text NOT NULL DEFAULT '',
    password_hash  text NOT NULL,
    roles          text[] NOT NULL,
    language       text NOT NULL DEFAULT '',
    theme          text NOT NULL DEFAULT '',
    zone           text NOT NULL DEFAULT '',
    disabled       boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT roles_are_known CHECK (roles <@ ARRAY['admin', 'planner', 'operator', 'auditor']::text[]),
    CONSTRAINT person_has_a_role CHECK (cardinality(roles) > 0),
    CONSTRAINT person_name_is_lower_case CHECK (name = lower(name) AND name <> '')
);
CREATE UNIQUE INDEX person_name_is_unique ON person (name);

CREATE TABLE session (
    token      text PRIMARY KEY,
    data       bytea NOT NULL,
    expiry     timestamptz NOT NULL,
    person_id  bigint REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX session_expiry ON session (expiry);

-- The one-time token that makes the first admin; only its hash is kept.
CREATE TABLE first_admin_token (
    hash        text PRIMARY KEY,
    expires_at  timestamptz NOT NULL
);

-- Failed sign-ins, for the rate limit: by name and network, never a lock.
CREATE TABLE sign_in_failure (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL,
    network  text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failure_by_name ON sign_in_failure (name, network, at);

-- Profiles and credentials ---------------------------------------------------
CREATE TABLE profile (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL,
    auth             text NOT NULL DEFAULT 'basic',
    https            boolean NOT NULL DEFAULT true,
    ca_pem           text NOT NULL DEFAULT '',
    plain_basic      boolean NOT NULL DEFAULT false,
    address_ranges   text[] NOT NULL DEFAULT '{}',
    dns_suffixes     text[] NOT NULL DEFAULT '{}',
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auth_is_known CHECK (auth IN ('basic')),
    CONSTRAINT plain_basic_is_only_for_http CHECK (NOT plain_basic OR NOT https)
);
CREATE UNIQUE INDEX profile_name_is_unique ON profile (lower(name));
-- The profile of servers that name none. It may be used for no host until an
-- admin names address ranges or suffixes.
INSERT INTO profile (name) VALUES ('default');

-- Sealed with AES-256-GCM under a key file outside the database.
CREATE TABLE credential (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id  bigint NOT NULL REFERENCES profile (id),
    purpose     text NOT NULL,
    account     text NOT NULL,
    sealed      bytea NOT NULL,
    key_id      text NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    set_by      text NOT NULL,
    CONSTRAINT purpose_is_known CHECK (purpose IN ('winrm', 'runas')),
    CONSTRAINT one_credential_per_purpose UNIQUE (profile_id, purpose)
);

-- Inventory ------------------------------------------------------------------
CREATE TABLE server (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL,
    fqdn             text NOT NULL DEFAULT '',
    roles            text[] NOT NULL,
    site             text NOT NULL DEFAULT '',
    internet_facing  boolean NOT NULL DEFAULT false,
    build            text NOT NULL DEFAULT '',
    os               text NOT NULL DEFAULT '',
    language         text NOT NULL DEFAULT 'en-US',
    arch             text NOT NULL DEFAULT 'x64',
    cluster          text NOT NULL DEFAULT '',
    profile          text NOT NULL DEFAULT 'default',
    mailboxes        integer NOT NULL DEFAULT 0,
    um_languages     text[] NOT NULL DEFAULT '{}',
    services         text[] NOT NULL DEFAULT '{}',
    tags             text[] NOT NULL DEFAULT '{}',
    address          text NOT NULL DEFAULT '',
    port             integer NOT NULL DEFAULT 0,
    imported_at      timestamptz NOT NULL DEFAULT now(),
    imported_by      text NOT NULL,
    CONSTRAINT server_name_is_upper_case CHECK (name = upper(name) AND name <> ''),
    CONSTRAINT server_has_a_role CHECK (cardinality(roles) > 0),
    CONSTRAINT server_roles_are_known CHECK (roles <@ ARRAY['ClientAccess', 'HubTransport', 'Mailbox', 'UnifiedMessaging', 'EdgeTransport']::text[]),
    CONSTRAINT os_is_known CHECK (os IN ('', '2003', '2008', '2008R2')),
    CONSTRAINT arch_is_known CHECK (arch IN ('x64', 'x86')),
    CONSTRAINT cluster_is_known CHECK (cluster IN ('', 'CCR', 'SCC')),
    CONSTRAINT mailboxes_are_counted_from_zero CHECK (mailboxes >= 0)
);
CREATE UNIQUE INDEX server_name_is_unique ON server (name);
CREATE INDEX server_by_site ON server (lower(site));

-- A Windows machine reached over WinRM. A standalone server has one, under the
-- server's own name; a cluster's nodes belong to every CMS on them.
CREATE TABLE host (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL,
    address              text NOT NULL,
    port                 integer NOT NULL DEFAULT 0,
    facts_at             timestamptz,
    last_probe_at        timestamptz,
    probe_asked_at       timestamptz, -- a reading is on its way when this is later than last_probe_at
    last_probe_outcome   text NOT NULL DEFAULT '',
    last_probe_error     text NOT NULL DEFAULT '',
    CONSTRAINT host_name_is_upper_case CHECK (name = upper(name) AND name <> '')
);
CREATE UNIQUE INDEX host_name_is_unique ON host (name);

CREATE TABLE server_host (
    server_id  bigint NOT NULL REFERENCES server (id) ON DELETE CASCADE,
    host_id    bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    PRIMARY KEY (server_id, host_id)
);

CREATE TABLE fact (
    host_id  bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    name     text NOT NULL,
    value    jsonb NOT NULL,
    source   text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (host_id, name)
);

-- Packages -------------------------------------------------------------------
CREATE TABLE package (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    language      text NOT NULL DEFAULT 'en-US',
    arch          text NOT NULL DEFAULT 'x64',
    folder        text NOT NULL,
    setup_sha256  text NOT NULL,
    added_by      text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_package_per_language_and_arch UNIQUE (name, language, arch),
    CONSTRAINT setup_hash_is_sha256 CHECK (setup_sha256 ~ '^[0-9a-f]{64}$')
);

-- "Organization prepared", recorded by a person with a reason.
CREATE TABLE preparation (
    package      text PRIMARY KEY,
    recorded_by  text NOT NULL,
    reason       text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT preparation_has_a_reason CHECK (reason <> '')
);

-- Plans ------------------------------------------------------------------------
CREATE TABLE plan (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    package     text NOT NULL,
    created_by  bigint NOT NULL REFERENCES person (id),
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- A revision is immutable but for its state and who submitted it; content is
-- RFC 8785 JSON.
CREATE TABLE revision (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id       bigint NOT NULL REFERENCES plan (id),
    number        integer NOT NULL,
    state         text NOT NULL DEFAULT 'draft',
    content       text NOT NULL,
    hash          text NOT NULL,
    author_id     bigint NOT NULL REFERENCES person (id),
    created_at    timestamptz NOT NULL DEFAULT now(),
    submitted_by  bigint REFERENCES person (id),
    submitted_at  timestamptz,
    CONSTRAINT revision_number_is_unique_in_its_plan UNIQUE (plan_id, number),
    CONSTRAINT plan_state_is_known CHECK (state IN ('draft', 'submitted', 'rejected', 'superseded')),
    CONSTRAINT submitted_revision_names_its_submitter CHECK (state <> 'submitted' OR (submitted_by IS NOT NULL AND submitted_at IS NOT NULL)),
    CONSTRAINT revision_hash_is_sha256 CHECK (hash ~ '^[0-9a-f]{64}$')
);

-- Rollouts ----------------------------------------------------------------------
CREATE TABLE rollout (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision_id  bigint NOT NULL REFERENCES revision (id),
    state        text NOT NULL DEFAULT 'waiting',
    last_event   bigint NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    generation   bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    ended_at     timestamptz,
    paused_by    text NOT NULL DEFAULT '',
    pause_reason text NOT NULL DEFAULT '',
    stop_reason  text NOT NULL DEFAULT '',
    CONSTRAINT rollout_state_is_known CHECK (state IN ('waiting', 'running', 'paused', 'stopped', 'done')),
    CONSTRAINT ended_rollout_has_an_end CHECK ((state = 'done') = (ended_at IS NOT NULL) OR state = 'stopped')
);
CREATE UNIQUE INDEX one_rollout_per_revision ON rollout (revision_id);

CREATE TABLE wave (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollout_id   bigint NOT NULL REFERENCES rollout (id),
    number       integer NOT NULL,
    name         text NOT NULL,
    state        text NOT NULL DEFAULT 'waiting',
    started_at   timestamptz,
    ended_at     timestamptz,
    stop_reason  text NOT NULL DEFAULT '',
    CONSTRAINT wave_number_is_unique_in_its_rollout UNIQUE (rollout_id, number),
    CONSTRAINT wave_is_unique_with_its_rollout UNIQUE (id, rollout_id),
    CONSTRAINT wave_state_is_known CHECK (state IN ('waiting', 'approved', 'running', 'paused', 'stopped', 'done'))
);

-- What was approved never changes: an approval can only be withdrawn, once.
CREATE TABLE approval (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wave_id        bigint NOT NULL REFERENCES wave (id),
    revision_hash  text NOT NULL,
    approved_by    bigint NOT NULL REFERENCES person (id),
    reason         text NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    withdrawn_at   timestamptz
);
CREATE UNIQUE INDEX one_standing_approval_per_wave ON approval (wave_id) WHERE withdrawn_at IS NULL;

-- One row per server: the digest that is compared in the starting transaction,
-- and the content that it is of, from which the work on the hosts is taken.
CREATE TABLE approval_server (
    approval_id  bigint NOT NULL REFERENCES approval (id),
    server_id    bigint NOT NULL REFERENCES server (id),
    digest       text NOT NULL,
    content      text NOT NULL,
    PRIMARY KEY (approval_id, server_id),
    CONSTRAINT approval_digest_is_sha256 CHECK (digest ~ '^[0-9a-f]{64}$')
);

CREATE TABLE upgrade (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollout_id     bigint NOT NULL REFERENCES rollout (id),
    wave_id        bigint NOT NULL,
    server_id      bigint NOT NULL REFERENCES server (id),
    state          text NOT NULL DEFAULT 'waiting',
    step           text NOT NULL DEFAULT '',
    reasons        jsonb NOT NULL DEFAULT '[]',
    message        text NOT NULL DEFAULT '',
    remedy         text NOT NULL DEFAULT '',
    unwinding      boolean NOT NULL DEFAULT false,
    skipping       boolean NOT NULL DEFAULT false, -- unwinding ends as skipped, not as failed
    accepted       boolean NOT NULL DEFAULT false, -- a person resumed the wave knowing of this failure
    repaired       boolean NOT NULL DEFAULT false,
    build          text NOT NULL DEFAULT '',
    generation     bigint NOT NULL DEFAULT 0,
    due_at         timestamptz,
    started_at     timestamptz,
    ended_at       timestamptz,
    verified_at    timestamptz,
    percent        integer NOT NULL DEFAULT 0,
    phase          text NOT NULL DEFAULT '',
    last_heard_at  timestamptz,
    CONSTRAINT wave_is_of_the_same_rollout FOREIGN KEY (wave_id, rollout_id) REFERENCES wave (id, rollout_id),
    CONSTRAINT upgrade_in_work_is_due CHECK (state NOT IN ('running', 'out-of-sight') OR due_at IS NOT NULL),
    CONSTRAINT one_upgrade_per_server_and_rollout UNIQUE (rollout_id, server_id),
    CONSTRAINT upgrade_state_is_known CHECK (state IN ('waiting', 'held', 'running', 'paused', 'out-of-sight', 'interrupted', 'unknown', 'failed', 'skipped', 'done')),
    CONSTRAINT upgrade_done_means_verified CHECK (state <> 'done' OR verified_at IS NOT NULL),
    CONSTRAINT skipping_is_unwinding CHECK (NOT skipping OR unwinding),
    CONSTRAINT percent_is_a_percentage CHECK (percent BETWEEN 0 AND 100)
);
CREATE INDEX upgrade_by_state ON upgrade (state) WHERE state IN ('running', 'out-of-sight');
-- One server is in work in one rollout at a time.
CREATE UNIQUE INDEX one_running_upgrade_per_server ON upgrade (server_id) WHERE state IN ('running', 'paused', 'out-of-sight', 'interrupted', 'unknown');

CREATE TABLE step (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upgrade_id  bigint NOT NULL REFERENCES upgrade (id),
    position    integer NOT NULL,
    name        text NOT NULL,
    attempt     integer NOT NULL DEFAULT 1,
    state       text NOT NULL DEFAULT 'waiting',
    memory      jsonb NOT NULL DEFAULT '{}',
    message     text NOT NULL DEFAULT '',
    started_at  timestamptz,
    ended_at    timestamptz,
    CONSTRAINT step_is_unique_in_its_upgrade UNIQUE (upgrade_id, position),
    CONSTRAINT step_state_is_known CHECK (state IN ('waiting', 'held', 'running', 'paused', 'out-of-sight', 'interrupted', 'unknown', 'failed', 'skipped', 'done'))
);

-- What a step changed for a while, with the state found before.
CREATE TABLE ledger (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upgrade_id   bigint NOT NULL REFERENCES upgrade (id),
    host_id      bigint NOT NULL REFERENCES host (id),
    kind         text NOT NULL,
    name         text NOT NULL,
    before       jsonb NOT NULL,
    meant        jsonb NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    restored_at  timestamptz,
    deviation    text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX one_open_ledger_entry_per_thing ON ledger (upgrade_id, host_id, kind, name) WHERE restored_at IS NULL;

-- What an upgrade's preflight and other rules found.
CREATE TABLE finding (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upgrade_id  bigint NOT NULL REFERENCES upgrade (id),
    rule        text NOT NULL,
    severity    text NOT NULL,
    evidence    text NOT NULL,
    remedy      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_verdict_per_rule UNIQUE (upgrade_id, rule),
    CONSTRAINT severity_is_known CHECK (severity IN ('blocker', 'warning', 'info', 'pass'))
);

-- The setup log as read from the host, line by line, redacted before it is stored.
CREATE TABLE setup_log (
    upgrade_id  bigint NOT NULL REFERENCES upgrade (id),
    line        bigint NOT NULL,
    text        text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upgrade_id, line)
);

-- Fencing: one owner per host at a time; the epoch only grows.
CREATE TABLE host_lease (
    host_id     bigint PRIMARY KEY REFERENCES host (id) ON DELETE CASCADE,
    owner       text NOT NULL,
    epoch       bigint NOT NULL,
    expires_at  timestamptz NOT NULL
);

-- Record -----------------------------------------------------------------------
CREATE TABLE event (
    rollout_id  bigint NOT NULL REFERENCES rollout (id),
    number      bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    kind        text NOT NULL,
    wave        integer,
    server      text NOT NULL DEFAULT '',
    step        text NOT NULL DEFAULT '',
    text        text NOT NULL,
    data        jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (rollout_id, number)
);

-- bytes is the exact canonical JSON that was hashed; the other columns are copies.
CREATE TABLE audit (
    seq      bigint PRIMARY KEY,
    prev     text NOT NULL,
    hash     text NOT NULL,
    bytes    text NOT NULL,
    at       timestamptz NOT NULL,
    who      text NOT NULL,
    what     text NOT NULL,
    subject  text NOT NULL,
    rollout  bigint,
    CONSTRAINT audit_hash_is_sha256 CHECK (hash ~ '^[0-9a-f]{64}$')
);
CREATE INDEX audit_by_who ON audit (who, seq);
CREATE INDEX audit_by_what ON audit (what, seq);
CREATE INDEX audit_by_rollout ON audit (rollout, seq);

CREATE TABLE audit_head (
    only_one  boolean PRIMARY KEY DEFAULT true,
    seq       bigint NOT NULL,
    hash      text NOT NULL,
    CONSTRAINT there_is_one_head CHECK (only_one)
);
INSERT INTO audit_head (seq, hash) VALUES (0, repeat('0', 64));

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- These triggers hold for the owner's role, too; the program's role has no right
-- to write the columns in the first place (see the grants of migrate).
-- +goose StatementBegin
CREATE FUNCTION refuse_new_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'revision' THEN
        IF (OLD.id, OLD.plan_id, OLD.number, OLD.content, OLD.hash, OLD.author_id, OLD.created_at)
           IS NOT DISTINCT FROM (NEW.id, NEW.plan_id, NEW.number, NEW.content, NEW.hash, NEW.author_id, NEW.created_at)
           AND (OLD.submitted_by IS NULL
                OR (OLD.submitted_by, OLD.submitted_at) IS NOT DISTINCT FROM (NEW.submitted_by, NEW.submitted_at)) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'approval' THEN
        IF (OLD.id, OLD.wave_id, OLD.revision_hash, OLD.approved_by, OLD.reason, OLD.at)
           IS NOT DISTINCT FROM (NEW.id, NEW.wave_id, NEW.revision_hash, NEW.approved_by, NEW.reason, NEW.at)
           AND OLD.withdrawn_at IS NULL THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the content of % never changes: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER revision_keeps_its_content BEFORE UPDATE OR DELETE ON revision
    FOR EACH ROW EXECUTE FUNCTION refuse_new_content();
CREATE TRIGGER approval_keeps_its_content BEFORE UPDATE OR DELETE ON approval
    FOR EACH ROW EXECUTE FUNCTION refuse_new_content();
CREATE TRIGGER approval_server_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approval_server
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- +goose Down
SELECT 'migrations only go forward';
