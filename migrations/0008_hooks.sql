-- +goose Up
-- Webhooks: addresses outside that an admin allowed to be called at points of
-- upgrades. Files of hooks are on the coordinators' disks and have no row.

-- One allowed webhook. It is never changed: another address, point, range or
-- secret is another row, and the one before is forbidden.
CREATE TABLE webhook (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    url           text NOT NULL,
    points        text[] NOT NULL,
    networks      text[] NOT NULL DEFAULT '{}', -- address ranges where its host may lie although they are private
    ca            text NOT NULL DEFAULT '',     -- PEM certificates that its host is checked against; empty = the system's
    sealed        bytea NOT NULL,               -- the secret that signs calls, as credentials are sealed
    key_id        text NOT NULL,
    sha256        text NOT NULL,                -- of all of these: what approvals bind
    allowed_by    text NOT NULL,
    allowed_at    timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL,
    forbidden_by  text NOT NULL DEFAULT '',
    forbidden_at  timestamptz,
    CONSTRAINT webhook_name_is_a_word CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    CONSTRAINT webhook_is_called_over_https CHECK (url ~ '^https://' AND octet_length(url) <= 2000),
    CONSTRAINT webhook_has_a_point CHECK (cardinality(points) > 0),
    CONSTRAINT webhook_points_are_known CHECK (points <@ ARRAY['announce', 'drain', 'cms-stop', 'cms-online', 'undrain', 'after']),
    CONSTRAINT webhook_hash_is_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT webhook_has_a_reason CHECK (reason <> ''),
    CONSTRAINT webhook_is_forbidden_by_a_named_person CHECK ((forbidden_at IS NULL) = (forbidden_by = ''))
);
CREATE UNIQUE INDEX one_allowed_webhook_of_a_name ON webhook (name) WHERE forbidden_at IS NULL;

-- +goose Down
SELECT 'migrations only go forward';
