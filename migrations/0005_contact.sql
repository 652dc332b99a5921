-- +goose Up
-- First contact: what came of the last one with a host, and what the host said
-- about the constants that the program takes for granted.

CREATE TABLE first_contact (
    host_id   bigint PRIMARY KEY REFERENCES host (id) ON DELETE CASCADE,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    by_name   text NOT NULL,
    outcome   text NOT NULL,
    error     text NOT NULL DEFAULT '',
    steps     jsonb NOT NULL, -- [{"step","state","words","remedy","ms"}], in order
    CONSTRAINT contact_steps_are_a_list CHECK (jsonb_typeof(steps) = 'array'),
    CONSTRAINT contact_is_short CHECK (octet_length(steps::text) <= 65536 AND octet_length(error) <= 8192),
    CONSTRAINT contact_is_by_somebody CHECK (by_name <> '')
);

CREATE TABLE constant_check (
    host_id   bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    name      text NOT NULL,
    windows   text NOT NULL DEFAULT '', -- the host's version in the inventory's words, when it was asked
    expected  text NOT NULL,
    found     text NOT NULL,
    verdict   text NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (host_id, name),
    CONSTRAINT verdict_is_known CHECK (verdict IN ('holds', 'differs', 'moot', 'unasked')),
    CONSTRAINT constant_has_a_name CHECK (name <> ''),
    CONSTRAINT what_was_found_is_short CHECK (octet_length(found) <= 2048 AND octet_length(expected) <= 2048)
);
CREATE INDEX constant_check_by_name ON constant_check (name);

-- What Windows Server 2003 and 2008 show of a certificate that a host showed
-- (certutil -store my), in place of its SHA-256, which they do not: to compare
-- by, never what a host is known by.
CREATE TABLE host_pin_windows (
    host_id     bigint NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    sha256      text NOT NULL,
    thumbprint  text NOT NULL, -- SHA-1 of the whole certificate, lower-case hex
    serial      text NOT NULL, -- lower-case hex
    PRIMARY KEY (host_id, sha256),
    CONSTRAINT thumbprint_is_sha1 CHECK (thumbprint ~ '^[0-9a-f]{40}$'),
    CONSTRAINT serial_is_hexadecimal CHECK (serial ~ '^[0-9a-f]{1,128}$')
);

-- +goose Down
SELECT 'migrations only go forward';
