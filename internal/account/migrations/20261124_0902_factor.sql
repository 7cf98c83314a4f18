-- Second factors, one of a kind for an account, the secret sealed. One that nobody confirmed yet has confirmed_at 0 and
-- binds nothing. last_step is the youngest time step whose code was used, so that no code is used twice.
CREATE TABLE account_factor (
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret TEXT NOT NULL,
  last_step BIGINT NOT NULL,
  confirmed_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, kind)
);

-- Recovery codes that have not been used, as hashes.
CREATE TABLE account_recovery (
  account_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (account_id, hash)
);
