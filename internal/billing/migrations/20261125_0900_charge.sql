-- Global: lines of invoices. A charge pays for the hours from start_at on, the last of which may be shorter, and is never
-- changed: what is given back is a charge of its own with negative cents.
CREATE TABLE charge (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  item TEXT NOT NULL,
  profile TEXT NOT NULL,
  amount BIGINT NOT NULL,
  cents BIGINT NOT NULL,
  currency TEXT NOT NULL,
  start_at BIGINT NOT NULL,
  end_at BIGINT NOT NULL,
  gives_back TEXT NOT NULL,
  catalogue BIGINT NOT NULL,
  invoice TEXT NOT NULL,
  key TEXT NOT NULL,
  made_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX charge_key ON charge (account, key);
CREATE INDEX charge_period ON charge (account, end_at);
CREATE INDEX charge_invoice ON charge (invoice);
