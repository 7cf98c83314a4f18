-- Global: an account that pays, or may, for the cycle that runs. One that pays for nothing has no row.
CREATE TABLE subscription (
  account TEXT NOT NULL PRIMARY KEY,
  cycle_start BIGINT NOT NULL,
  cycle_end BIGINT NOT NULL,
  later TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX subscription_cycle_end ON subscription (cycle_end, account);

-- Global: which profiles of an account have which add-ons.
CREATE TABLE subscription_addon (
  account TEXT NOT NULL,
  addon TEXT NOT NULL,
  profile TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (account, addon, profile)
);
CREATE INDEX subscription_addon_profile ON subscription_addon (profile);

-- Global: requests that came with an Idempotency-Key, and what was answered. They go after a day.
CREATE TABLE subscription_request (
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  answer TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  PRIMARY KEY (account, key)
);
CREATE INDEX subscription_request_made ON subscription_request (made_at);

-- Global: invoices. Their lines are the charges that name them. Only the last six columns ever change.
CREATE TABLE invoice (
  id TEXT NOT NULL PRIMARY KEY,
  number BIGINT NOT NULL,
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  cents BIGINT NOT NULL,
  currency TEXT NOT NULL,
  period_start BIGINT NOT NULL,
  period_end BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  bill_to TEXT NOT NULL,
  corrects TEXT NOT NULL,
  status TEXT NOT NULL,
  settled_at BIGINT NOT NULL,
  settled_by TEXT NOT NULL,
  note TEXT NOT NULL,
  corrected_by TEXT NOT NULL,
  told BIGINT NOT NULL
);
CREATE UNIQUE INDEX invoice_number ON invoice (number);
CREATE UNIQUE INDEX invoice_key ON invoice (account, key);
CREATE INDEX invoice_account ON invoice (account, number);
CREATE INDEX invoice_status ON invoice (status, due_at);
CREATE INDEX invoice_told ON invoice (number) WHERE told = 0;

-- Global: the last number given to an invoice. Its row is held until the invoice is committed, so that none is missing.
CREATE TABLE invoice_count (
  name TEXT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);
INSERT INTO invoice_count (name, last) VALUES ('invoice', 0);

-- Global: whom invoices of an account are made out to.
CREATE TABLE billing_information (
  account TEXT NOT NULL PRIMARY KEY,
  company TEXT NOT NULL,
  country TEXT NOT NULL,
  state TEXT NOT NULL,
  city TEXT NOT NULL,
  street TEXT NOT NULL,
  zip_code TEXT NOT NULL,
  comments TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
