-- Hand-overs of profiles. A global table: each is about two accounts, and is looked up by either of them, by the address it was
-- sent to, and by the profile. Times are UTC milliseconds, 0 for what has not happened.
CREATE TABLE transfer (
    id TEXT NOT NULL PRIMARY KEY,
    profile TEXT NOT NULL,
    name TEXT NOT NULL,              -- of the profile when it was asked for
    source TEXT NOT NULL,            -- the account that gives
    address TEXT NOT NULL,           -- the e-mail it was sent to, lower case
    destination TEXT NOT NULL,       -- the account that answered; '' before
    ticket TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,           -- what the owner wrote with it
    reason TEXT NOT NULL,            -- why it ended, where that is not plain
    choices TEXT NOT NULL,           -- JSON: what the receiver chose; '' before
    outcome TEXT NOT NULL,           -- JSON: who and what stayed and ended; '' before
    kept TEXT NOT NULL,              -- JSON: what an undo needs; '' when there is none any more
    requested_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    completed_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    undo_source BIGINT NOT NULL,     -- when the one who gave agreed to undo it
    undo_destination BIGINT NOT NULL
);
-- One at a time of a profile, whoever asks at once.
CREATE UNIQUE INDEX transfer_open ON transfer (profile) WHERE state IN ('requested', 'accepted');
CREATE INDEX transfer_profile ON transfer (profile, completed_at);
CREATE INDEX transfer_source ON transfer (source, requested_at);
CREATE INDEX transfer_destination ON transfer (destination, requested_at);
CREATE INDEX transfer_address ON transfer (address, requested_at);
CREATE INDEX transfer_due ON transfer (state, expires_at);
