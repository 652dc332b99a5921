-- +goose Up
-- What is known of the organization can release what was held for lack of its
-- preparation: a person's word that would do that waits for a second person.

-- Who confirmed a fact that was entered by hand; empty = it needed nobody, or was read.
ALTER TABLE organization_fact ADD COLUMN confirmed_by text NOT NULL DEFAULT '';

-- A fact to be entered, or taken back, that waits for a second person.
CREATE TABLE organization_wish (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    value        jsonb, -- NULL = what is known is to be taken back
    asked_by     text NOT NULL,
    asked_by_id  bigint NOT NULL REFERENCES person (id),
    asked_at     timestamptz NOT NULL DEFAULT now(),
    reason       text NOT NULL,
    CONSTRAINT organization_wish_has_a_name CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    CONSTRAINT organization_wish_has_a_reason CHECK (reason <> ''),
    CONSTRAINT organization_wish_is_short CHECK (octet_length(value::text) <= 1048576)
);

-- +goose Down
SELECT 'migrations only go forward';
