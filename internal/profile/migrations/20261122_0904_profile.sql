-- Global: one row per profile, living or gone. A purged row stays, without its name, so that no number and no
-- id is ever used again and audit events keep their subject.
CREATE TABLE profile (
  id TEXT NOT NULL PRIMARY KEY,
  no BIGINT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  logo_url TEXT,
  banner_url TEXT,
  paused BOOLEAN NOT NULL,
  pause_reason TEXT NOT NULL,
  paused_by_operator BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  purged_at BIGINT
);
CREATE UNIQUE INDEX profile_no ON profile (no);
CREATE INDEX profile_account ON profile (account, created_at);
CREATE INDEX profile_purge ON profile (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

-- Global: how many living profiles an account owns. The cap and "the last one stays" are decided on this row,
-- and whoever changes what an account's profiles share takes it first, so that it also serves as their lock.
CREATE TABLE profile_owner (
  account TEXT NOT NULL PRIMARY KEY,
  profiles BIGINT NOT NULL
);

-- Global, one row: the number given last.
CREATE TABLE profile_number (
  id BIGINT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);
INSERT INTO profile_number (id, last) VALUES (1, 0);
