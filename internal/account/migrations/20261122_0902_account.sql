CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  company TEXT,
  phone TEXT,
  language TEXT NOT NULL,
  timezone TEXT NOT NULL,
  newsletter BOOLEAN NOT NULL,
  developer BOOLEAN NOT NULL,
  options TEXT NOT NULL,
  plan TEXT NOT NULL,
  operator BOOLEAN NOT NULL,
  active BOOLEAN NOT NULL,
  blocked BOOLEAN NOT NULL,
  last_login BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_email ON account (email);

-- Signed-in browsers, by the SHA-256 of the cookie.
CREATE TABLE session (
  hash TEXT NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  addr TEXT NOT NULL,
  agent TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_created ON session (created_at);

-- One-time links of mails and the setup link, by the SHA-256 of their token.
CREATE TABLE account_link (
  hash TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  account_id TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX account_link_account ON account_link (account_id, kind);
CREATE INDEX account_link_expires ON account_link (expires_at);

-- Wrong passwords by account and by address, requested mails and sign-ups by address.
CREATE TABLE account_lock (
  key TEXT NOT NULL PRIMARY KEY,
  count BIGINT NOT NULL,
  until BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX account_lock_updated ON account_lock (updated_at);
