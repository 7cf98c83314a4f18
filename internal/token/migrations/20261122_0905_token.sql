-- A token is looked up by its hash before anybody knows whose it is, so this table is global. Times are UTC
-- milliseconds; 0 means none (never expires, never used, not ended).
CREATE TABLE token (
    id                TEXT   NOT NULL PRIMARY KEY,
    hash              TEXT   NOT NULL UNIQUE, -- SHA-256 of the raw part, hex
    tail              TEXT   NOT NULL,        -- last four characters of the raw part
    kind              TEXT   NOT NULL,        -- profile, device
    profile_id        TEXT   NOT NULL,
    device_id         TEXT   NOT NULL,        -- '' unless kind is device
    created_by        TEXT   NOT NULL,        -- the account; '' when Paddock made it
    name              TEXT   NOT NULL,
    permission        TEXT   NOT NULL,
    reach             TEXT   NOT NULL,        -- profile, account
    serial            TEXT   NOT NULL,        -- '' when it has none
    verification_code TEXT   NOT NULL,        -- '' when it has none
    sealed            TEXT   NOT NULL,        -- the raw part, sealed; device tokens only, '' once ended
    expires_at        BIGINT NOT NULL,
    last_use          BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    ended_at          BIGINT NOT NULL         -- revoked: kept 90 days as a tombstone
);

-- One device for each serial number, within a profile.
CREATE UNIQUE INDEX token_serial ON token (profile_id, serial) WHERE serial <> '' AND ended_at = 0;
CREATE INDEX token_of_profile ON token (profile_id, kind, device_id, created_at);
CREATE INDEX token_ended ON token (ended_at) WHERE ended_at > 0;
CREATE INDEX token_expired ON token (expires_at) WHERE expires_at > 0;
