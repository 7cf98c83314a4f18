-- No foreign keys: the log outlives what it speaks of.
CREATE TABLE audit_entry (
  profile_id TEXT NOT NULL,
  id TEXT NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  kind TEXT NOT NULL,
  token_id TEXT NOT NULL,
  token_name TEXT NOT NULL,
  addr TEXT NOT NULL,
  resource TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  message TEXT NOT NULL,
  before_json TEXT NOT NULL,
  after_json TEXT NOT NULL,
  PRIMARY KEY (profile_id, id)
);
CREATE INDEX audit_entry_at ON audit_entry (profile_id, at);

CREATE TABLE audit_account (
  id TEXT NOT NULL PRIMARY KEY,
  account_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  kind TEXT NOT NULL,
  token_id TEXT NOT NULL,
  token_name TEXT NOT NULL,
  addr TEXT NOT NULL,
  resource TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  message TEXT NOT NULL,
  before_json TEXT NOT NULL,
  after_json TEXT NOT NULL
);
CREATE INDEX audit_account_at ON audit_account (account_id, at);
