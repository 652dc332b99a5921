-- +goose Up
-- Access: how a host proves who it is, how we prove who we are, and what was
-- refused. No row of these tables holds a secret but credential.sealed.

ALTER TABLE profile
    DROP CONSTRAINT auth_is_known,
    DROP CONSTRAINT plain_basic_is_only_for_http,
    ADD COLUMN tls10        boolean NOT NULL DEFAULT false,  -- also TLS 1.0 and the suites of that time
    ADD COLUMN trust        text NOT NULL DEFAULT 'ca',      -- what a host's certificate is checked against
    ADD COLUMN pins         text[] NOT NULL DEFAULT '{}',    -- SHA-256 of certificates that any of its hosts may show
    ADD COLUMN realm        text NOT NULL DEFAULT '',
    ADD COLUMN kdcs         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN krb5_conf    text NOT NULL DEFAULT '',
    ADD COLUMN spn_service  text NOT NULL DEFAULT 'HTTP',
    ADD COLUMN updated_by   text NOT NULL DEFAULT '',
    ADD CONSTRAINT auth_is_known CHECK (auth IN ('basic', 'ntlm', 'kerberos', 'certificate')),
    ADD CONSTRAINT plain_basic_is_only_for_basic_over_http CHECK (NOT plain_basic OR (auth = 'basic' AND NOT https)),
    ADD CONSTRAINT basic_over_http_is_said_by_name CHECK (https OR plain_basic OR auth <> 'basic'),
    ADD CONSTRAINT a_client_certificate_needs_https CHECK (https OR auth <> 'certificate'),
    ADD CONSTRAINT trust_is_known CHECK (trust IN ('ca', 'pin', 'first-use')),
    ADD CONSTRAINT certificates_are_for_https CHECK (https OR (trust = 'ca' AND NOT tls10 AND pins = '{}')),
    ADD CONSTRAINT pins_decide_alone CHECK (pins = '{}' OR trust <> 'ca'),
    ADD CONSTRAINT profile_pins_are_sha256 CHECK (array_to_string(pins, ' ') ~ '^([0-9a-f]{64}( |$))*$'),
    ADD CONSTRAINT realm_is_for_kerberos CHECK (auth = 'kerberos' OR (realm = '' AND kdcs = '{}' AND krb5_conf = '')),
    ADD CONSTRAINT spn_service_is_a_word CHECK (spn_service ~ '^[A-Za-z][A-Za-z0-9]{0,31}$');

-- A secret that is set again is another version: what was refused and what was
-- taken of the version before says nothing about it.
ALTER TABLE credential
    ADD COLUMN kind       text NOT NULL DEFAULT 'password',
    ADD COLUMN version    integer NOT NULL DEFAULT 1,
    ADD COLUMN proven_at  timestamptz, -- some host took this version
    ADD COLUMN proven_by  text NOT NULL DEFAULT '', -- the host that took it last before it was kept, or first after
    ADD COLUMN good_at    timestamptz, -- when a host took it last, as far as that was put down
    ADD COLUMN doubted_by bigint REFERENCES host (id) ON DELETE SET NULL, -- it had taken this version, and refused it since
    -- A digest, under the key that seals secrets, of an account of a domain and its
    -- secret: the domain counts wrong ones, whichever profile and purpose they are
    -- for. Empty: not known yet, or an account that each host has for itself.
    ADD COLUMN digest     text NOT NULL DEFAULT '',
    ADD CONSTRAINT credential_kind_is_known CHECK (kind IN ('password', 'keytab', 'ccache', 'certificate')),
    ADD CONSTRAINT version_counts_from_one CHECK (version >= 1),
    ADD CONSTRAINT run_as_is_a_password CHECK (purpose = 'winrm' OR kind = 'password');

-- What a host, or the account's own domain (no host), said no to. It stands for
-- its version of the secret until a person has it forgotten.
CREATE TABLE credential_refusal (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    credential_id     bigint NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    version           integer NOT NULL,
    host_id           bigint REFERENCES host (id) ON DELETE CASCADE,
    at                timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason            text NOT NULL,
    had_taken         boolean NOT NULL DEFAULT false, -- the host had taken this very version before
    for_all           boolean NOT NULL DEFAULT false, -- not even hosts that took it get it any more
    digest            text NOT NULL DEFAULT '', -- the credential's, when it was refused
    forgotten_at      timestamptz,
    forgotten_by      text NOT NULL DEFAULT '',
    CONSTRAINT only_the_account_is_refused_for_all CHECK (host_id IS NULL OR NOT for_all),
    CONSTRAINT refusal_has_a_reason CHECK (reason <> '' AND octet_length(reason) <= 4096),
    CONSTRAINT forgetting_is_a_named_persons CHECK ((forgotten_at IS NULL) = (forgotten_by = ''))
);
CREATE UNIQUE INDEX one_standing_refusal_per_host ON credential_refusal (credential_id, version, host_id) NULLS NOT DISTINCT
    WHERE forgotten_at IS NULL;
CREATE INDEX refusals_of_a_secret ON credential_refusal (digest) WHERE forgotten_at IS NULL AND host_id IS NULL AND digest <> '';

-- Hosts that took this version: they go on when another refuses it.
CREATE TABLE credential_taken (
    credential_id  bigint NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    version        integer NOT NULL,
    host_id        bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (credential_id, version, host_id)
);

-- A secret that no host took yet, or not for a while, or of which one that took
-- it says no, is tried at one host by one coordinator; all others wait for what
-- comes of it.
CREATE TABLE credential_trial (
    about          text PRIMARY KEY, -- the credential's digest, else its id
    credential_id  bigint NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    version        integer NOT NULL,
    host_id        bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    owner          text NOT NULL,
    until          timestamptz NOT NULL,
    ended          boolean NOT NULL DEFAULT false, -- its coordinator said so; the row stays for what it counts
    unanswered     integer NOT NULL DEFAULT 0, -- trials in a row of which nothing was heard
    CONSTRAINT trials_are_counted_from_zero CHECK (unanswered >= 0)
);

-- Certificates by which a host is known: offered when it was seen, confirmed or
-- rejected by a person, replaced when another was confirmed in its place.
CREATE TABLE host_pin (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id      bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    sha256       text NOT NULL,
    subject      text NOT NULL DEFAULT '',
    issuer       text NOT NULL DEFAULT '',
    not_before   timestamptz,
    not_after    timestamptz,
    state        text NOT NULL DEFAULT 'offered',
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_at   timestamptz,
    decided_by   text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    CONSTRAINT pin_is_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT pin_state_is_known CHECK (state IN ('offered', 'confirmed', 'rejected', 'replaced')),
    CONSTRAINT pin_names_are_short CHECK (octet_length(subject) <= 4096 AND octet_length(issuer) <= 4096),
    CONSTRAINT pin_is_decided_by_a_named_person_with_a_reason CHECK (state = 'offered' OR (decided_by <> '' AND decided_at IS NOT NULL AND reason <> '')),
    CONSTRAINT one_pin_per_host_and_certificate UNIQUE (host_id, sha256)
);

-- +goose Down
SELECT 'migrations only go forward';
