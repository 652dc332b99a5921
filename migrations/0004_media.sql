-- +goose Up
-- Media: the files of packages as they were registered, from where hosts fetch
-- them, and the work of bringing them there.

-- A medium: one unpacked package. The files themselves are one bundle on the
-- consoles' disks, named by its hash; here is what they must be. Never changed:
-- what replaces a medium is a new row.
CREATE TABLE media (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package          text NOT NULL,
    languages        text[] NOT NULL, -- of the servers that it was given for
    arch             text NOT NULL,
    file_name        text NOT NULL DEFAULT '', -- the file as it was given; empty = an unpacked folder was
    file_sha256      text,
    file_size        bigint,
    build            text NOT NULL DEFAULT '', -- of ExSetup.exe; empty = not found
    um_languages     text[] NOT NULL DEFAULT '{}',
    setup_sha256     text NOT NULL,
    files            integer NOT NULL,
    tree_size        bigint NOT NULL,
    manifest         bytea NOT NULL,
    manifest_sha256  text NOT NULL,
    bundle_sha256    text NOT NULL,
    bundle_size      bigint NOT NULL,
    added_by         text NOT NULL,
    added_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT media_are_registered_once UNIQUE (bundle_sha256, um_languages),
    CONSTRAINT media_is_unique_with_its_arch UNIQUE (id, arch),
    CONSTRAINT media_arch_is_known CHECK (arch IN ('x64', 'x86')),
    CONSTRAINT media_has_a_language CHECK (cardinality(languages) > 0),
    CONSTRAINT media_setup_hash_is_sha256 CHECK (setup_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT media_file_hash_is_sha256 CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT media_file_has_hash_and_size CHECK ((file_name = '') = (file_sha256 IS NULL) AND (file_name = '') = (file_size IS NULL)),
    CONSTRAINT manifest_hash_is_of_the_manifest CHECK (manifest_sha256 = encode(sha256(manifest), 'hex')),
    CONSTRAINT bundle_hash_is_sha256 CHECK (bundle_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT bundle_is_smaller_than_two_gigabytes CHECK (bundle_size BETWEEN 1 AND 2147483647)
);
CREATE INDEX media_by_manifest ON media (manifest_sha256);
CREATE TRIGGER media_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON media
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A medium that nobody is to use any more.
CREATE TABLE media_forgotten (
    media_id  bigint PRIMARY KEY REFERENCES media (id),
    by        text NOT NULL,
    reason    text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

-- Without a medium a package lies on the hosts already, and only its setup.com
-- is compared there.
ALTER TABLE package
    ADD COLUMN media_id bigint,
    ADD CONSTRAINT package_has_media_of_its_arch FOREIGN KEY (media_id, arch) REFERENCES media (id, arch),
    ADD CONSTRAINT media_of_32_bit_is_for_the_organization_only CHECK (media_id IS NULL OR arch = 'x64');

-- Where the hosts of an AD site fetch from; sites without a row, and the empty
-- site when it has none, use the console.
CREATE TABLE media_source (
    site    text PRIMARY KEY,
    kind    text NOT NULL,
    base    text NOT NULL DEFAULT '', -- \\server\share\folder, or http://server/folder
    set_by  text NOT NULL,
    set_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT media_source_site_is_lower_case CHECK (site = lower(site)),
    CONSTRAINT media_source_kind_is_known CHECK (kind IN ('console', 'share', 'mirror')),
    CONSTRAINT media_source_has_a_base CHECK ((kind = 'console') = (base = ''))
);

-- One medium on its way to one host. Its states are those of an upgrade.
CREATE TABLE staging (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id       bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    media_id      bigint NOT NULL,
    arch          text NOT NULL,
    folder        text NOT NULL,            -- on the host
    upgrade_id    bigint REFERENCES upgrade (id), -- that does it as a step of its own; NULL = ahead of it
    state         text NOT NULL DEFAULT 'waiting',
    phase         text NOT NULL DEFAULT '',
    attempt       integer NOT NULL DEFAULT 1,
    generation    bigint NOT NULL DEFAULT 1,
    source        text NOT NULL DEFAULT '', -- "console", or the share or mirror
    done_bytes    bigint NOT NULL DEFAULT 0,
    total_bytes   bigint NOT NULL DEFAULT 0,
    rate          bigint NOT NULL DEFAULT 0, -- bytes a second between the last two looks
    memory        jsonb NOT NULL DEFAULT '{}',
    message       text NOT NULL DEFAULT '',
    remedy        text NOT NULL DEFAULT '',
    refused       text NOT NULL DEFAULT '', -- what the listener refused last, in words
    refused_at    timestamptz,
    asked_by      text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    asked_at      timestamptz NOT NULL DEFAULT now(),
    not_before    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL DEFAULT now(),
    saved_at      timestamptz NOT NULL DEFAULT now(),
    output_at     timestamptz,              -- bytes or a phase came
    started_at    timestamptz,
    ended_at      timestamptz,
    proven_at     timestamptz,              -- every file of the tree was right then
    CONSTRAINT staging_is_of_known_media FOREIGN KEY (media_id, arch) REFERENCES media (id, arch),
    CONSTRAINT staging_of_32_bit_media_is_for_no_upgrade CHECK (upgrade_id IS NULL OR arch = 'x64'),
    CONSTRAINT staging_state_is_known CHECK (state IN ('waiting', 'held', 'running', 'paused', 'out-of-sight', 'interrupted', 'unknown', 'failed', 'skipped', 'done')),
    CONSTRAINT staging_phase_is_known CHECK (phase IN ('', 'check', 'fetch', 'unpack', 'verify')),
    CONSTRAINT staging_done_means_proven CHECK (state <> 'done' OR proven_at IS NOT NULL),
    CONSTRAINT ended_staging_has_an_end CHECK ((state IN ('done', 'skipped', 'failed')) = (ended_at IS NOT NULL)),
    CONSTRAINT staging_counts_from_zero CHECK (done_bytes >= 0 AND total_bytes >= 0 AND rate >= 0)
);
CREATE UNIQUE INDEX one_open_staging_per_host_and_media ON staging (host_id, media_id) WHERE state NOT IN ('done', 'skipped', 'failed');
CREATE INDEX staging_by_media ON staging (media_id, host_id, id DESC);
CREATE INDEX staging_by_host ON staging (host_id, media_id, id);
CREATE INDEX staging_open ON staging (due_at) WHERE state NOT IN ('done', 'skipped', 'failed');
CREATE INDEX staging_by_upgrade ON staging (upgrade_id);

-- What a host may fetch: one token per staging, of which only the hash is kept.
-- It is good while the staging is in work, and not longer than until.
CREATE TABLE media_grant (
    staging_id    bigint PRIMARY KEY REFERENCES staging (id) ON DELETE CASCADE,
    token_sha256  text NOT NULL UNIQUE,
    addresses     inet[] NOT NULL,
    until         timestamptz NOT NULL,
    given_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT token_hash_is_sha256 CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT grant_names_an_address CHECK (cardinality(addresses) > 0)
);

-- +goose Down
SELECT 'migrations only go forward';
