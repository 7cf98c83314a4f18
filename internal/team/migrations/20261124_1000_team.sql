-- All of these are global: they are looked up by a person, by a secret or by an account, not within one profile. Times are
-- UTC milliseconds; 0 means none (does not end, has not ended).

-- A person in the team of a profile. The owner has no row.
CREATE TABLE member (
    profile    TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    role       TEXT   NOT NULL, -- admin, developer, viewer
    within     TEXT   NOT NULL, -- JSON of the part that the person sees; '' for all
    invited_by TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (profile, account)
);
CREATE INDEX member_account ON member (account);
CREATE INDEX member_expired ON member (expires_at) WHERE expires_at > 0;

-- A person in the teams of all profiles of an account, or of those with one of some tags.
CREATE TABLE staff (
    owner      TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    tags       TEXT   NOT NULL, -- JSON list of {key, value}; '[]' for all profiles
    invited_by TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, account)
);
CREATE INDEX staff_account ON staff (account);
CREATE INDEX staff_expired ON staff (expires_at) WHERE expires_at > 0;

-- An invitation, for a while after its end too, so that its link can say what became of it. Two links lead to it: the one
-- in the mail, which proves the mailbox, and the one that owner and admins copy, which proves nothing.
CREATE TABLE invitation (
    id           TEXT   NOT NULL PRIMARY KEY,
    hash         TEXT   NOT NULL UNIQUE, -- SHA-256 of the mail's secret, hex
    copy_hash    TEXT   NOT NULL UNIQUE, -- SHA-256 of the other one
    sealed       TEXT   NOT NULL,        -- the other one, sealed; '' once the invitation has ended
    profile      TEXT   NOT NULL,        -- '' for staff
    owner        TEXT   NOT NULL,        -- the account whose staff it makes; '' for a profile's team
    email        TEXT   NOT NULL,        -- as it was typed
    address      TEXT   NOT NULL,        -- the same in lower case
    role         TEXT   NOT NULL,
    within       TEXT   NOT NULL,
    tags         TEXT   NOT NULL,
    member_until BIGINT NOT NULL,        -- when the membership ends; 0 never
    invited_by   TEXT   NOT NULL,
    state        TEXT   NOT NULL,        -- pending, accepted, declined, cancelled, replaced, expired
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitation_pending ON invitation (owner, profile, address) WHERE state = 'pending';
CREATE INDEX invitation_profile ON invitation (profile, state);
CREATE INDEX invitation_address ON invitation (address) WHERE state = 'pending';
CREATE INDEX invitation_due ON invitation (expires_at) WHERE state = 'pending';
CREATE INDEX invitation_ended ON invitation (ended_at) WHERE ended_at > 0;
