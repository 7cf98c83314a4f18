-- Global: rate cards, the prices by which an owner bills customers. target names what a card is for and no other card has.
CREATE TABLE rate_card (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  version BIGINT NOT NULL,
  target TEXT NOT NULL,
  made_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX rate_card_target ON rate_card (account, target);

-- Global: what a card said since each of its changes, as JSON. It outlives the card: statements name it.
CREATE TABLE rate_card_version (
  card TEXT NOT NULL,
  version BIGINT NOT NULL,
  account TEXT NOT NULL,
  terms TEXT NOT NULL,
  set_at BIGINT NOT NULL,
  PRIMARY KEY (card, version)
);
CREATE INDEX rate_card_version_account ON rate_card_version (account, card, version);

-- Global: pictures of cards and statements, by their hash; base64 of PNG.
CREATE TABLE statement_picture (
  account TEXT NOT NULL,
  hash TEXT NOT NULL,
  png TEXT NOT NULL,
  PRIMARY KEY (account, hash)
);

-- Global: what customers were told. document is the whole of it as JSON and hash its SHA-256; the other columns are for
-- finding it. A row is never changed. once is the month of a profile, or the correction that an own statement is for.
CREATE TABLE statement (
  account TEXT NOT NULL,
  number BIGINT NOT NULL,
  id TEXT NOT NULL,
  once TEXT NOT NULL,
  profile TEXT NOT NULL,
  month TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  to_at BIGINT NOT NULL,
  document TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (account, number)
);
CREATE UNIQUE INDEX statement_id ON statement (id);
CREATE UNIQUE INDEX statement_once ON statement (account, profile, once);
CREATE INDEX statement_month ON statement (account, month, number);

-- Global: the number given last. Whoever issues statements of an account takes this row first.
CREATE TABLE statement_number (
  account TEXT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);

-- Global: what puts an issued statement right, and the statement that has it as a line, "" while none has. key makes
-- the same correction, sent again, the same.
CREATE TABLE statement_correction (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  statement TEXT NOT NULL,
  key TEXT NOT NULL,
  text TEXT NOT NULL,
  cents BIGINT NOT NULL,
  currency TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  on_statement TEXT NOT NULL
);
CREATE UNIQUE INDEX statement_correction_key ON statement_correction (statement, key);
CREATE INDEX statement_correction_open ON statement_correction (account, profile, on_statement);
CREATE INDEX statement_correction_on ON statement_correction (on_statement);

-- Global: tags of profiles that left an account, by which the statement of their last month finds its card.
CREATE TABLE former_customer (
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  tags TEXT NOT NULL,
  left_at BIGINT NOT NULL,
  PRIMARY KEY (account, profile)
);

-- Global: accounts that are gone and whose cards and statements wait to be removed.
CREATE TABLE statement_purge (
  account TEXT NOT NULL PRIMARY KEY
);
