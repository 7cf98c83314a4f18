-- Times are UTC milliseconds; 0 and '' mean none (on the wire: null).
CREATE TABLE device (
    profile_id      TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    name_key        TEXT    NOT NULL, -- the name in lower case, folded in Go: SQLite folds ASCII only
    description     TEXT    NOT NULL,
    type            TEXT    NOT NULL, -- mutable, immutable
    chunk_period    TEXT    NOT NULL, -- immutable: day, week, month, quarter
    chunk_retention BIGINT  NOT NULL, -- immutable: whole periods kept besides the current one
    connector       TEXT    NOT NULL,
    network         TEXT    NOT NULL,
    active          BOOLEAN NOT NULL,
    visible         BOOLEAN NOT NULL,
    payload_decoder TEXT    NOT NULL,
    rpm_input       BIGINT  NOT NULL,
    rpm_output      BIGINT  NOT NULL,
    last_input      BIGINT  NOT NULL,
    last_output     BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    PRIMARY KEY (profile_id, id)
);
CREATE INDEX device_by_name ON device (profile_id, name_key, id);

CREATE TABLE device_tag (
    profile_id TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    pos        BIGINT NOT NULL, -- the order in which they were sent
    key        TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    PRIMARY KEY (profile_id, device_id, pos),
    FOREIGN KEY (profile_id, device_id) REFERENCES device (profile_id, id) ON DELETE CASCADE
);
CREATE INDEX device_tag_by_key ON device_tag (profile_id, lower(key), lower(value));

CREATE TABLE device_param (
    profile_id TEXT    NOT NULL,
    device_id  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    pos        BIGINT  NOT NULL, -- the order in which they were made
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    sent       BOOLEAN NOT NULL,
    PRIMARY KEY (profile_id, device_id, id),
    FOREIGN KEY (profile_id, device_id) REFERENCES device (profile_id, id) ON DELETE CASCADE
);

-- Requests that were refused; written in batches, the last 100 of each device. device_id is '' for requests
-- that came with a dead profile token. No foreign key: a deleted device's token may still be in the field.
CREATE TABLE device_refusal (
    profile_id TEXT    NOT NULL,
    device_id  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    token_id   TEXT    NOT NULL,
    token_name TEXT    NOT NULL,
    tail       TEXT    NOT NULL, -- last four characters of the token
    dead       TEXT    NOT NULL, -- revoked, expired, or '' when the token lives
    method     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    status     BIGINT  NOT NULL,
    reason     TEXT    NOT NULL,
    addr       TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- first 2 kB
    PRIMARY KEY (profile_id, device_id, id)
);
CREATE INDEX device_refusal_dead ON device_refusal (profile_id, at) WHERE dead <> '';
CREATE INDEX device_refusal_old ON device_refusal (at);
