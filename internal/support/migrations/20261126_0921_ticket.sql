-- All of these are global: a ticket is shared by people of several accounts, and looked up by them or by operators. Times are
-- UTC milliseconds; 0 means none.

CREATE TABLE ticket_number (
    id   BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO ticket_number (id, last) VALUES (1, 0);

CREATE TABLE ticket (
    id         TEXT   NOT NULL PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    kind       TEXT   NOT NULL, -- question, transfer
    ref        TEXT   NOT NULL, -- what it is about: the id of a transfer; '' for none
    opener     TEXT   NOT NULL,
    profile    TEXT   NOT NULL, -- '' for none
    subject    TEXT   NOT NULL,
    state      TEXT   NOT NULL, -- open, answered, closed
    messages   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL
);
CREATE INDEX ticket_state ON ticket (state, updated_at);
CREATE INDEX ticket_opener ON ticket (opener, created_at);

-- Who takes part, besides operators. updated_at is of the last message that this party sees.
CREATE TABLE ticket_party (
    account    TEXT   NOT NULL,
    ticket     TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, ticket)
);
CREATE INDEX ticket_party_ticket ON ticket_party (ticket);

CREATE TABLE ticket_message (
    ticket   TEXT    NOT NULL,
    seq      BIGINT  NOT NULL,
    id       TEXT    NOT NULL UNIQUE,
    author   TEXT    NOT NULL, -- '' for Paddock itself
    operator BOOLEAN NOT NULL, -- the author wrote as an operator
    text     TEXT    NOT NULL,
    audience TEXT    NOT NULL, -- '' for all parties, else the accounts that see it, each between commas; operators see all
    at       BIGINT  NOT NULL,
    PRIMARY KEY (ticket, seq)
);
CREATE INDEX ticket_message_author ON ticket_message (author, at);
