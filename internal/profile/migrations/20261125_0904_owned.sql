-- Global: whose each profile was from an instant on, and until when; until_at is 0 while it still is. name is what it was
-- called at the end.
CREATE TABLE profile_owned (
  profile TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  account TEXT NOT NULL,
  until_at BIGINT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (profile, from_at)
);
CREATE INDEX profile_owned_account ON profile_owned (account, from_at);
INSERT INTO profile_owned (profile, from_at, account, until_at, name)
  SELECT id, created_at, account, COALESCE(deleted_at, 0), CASE WHEN deleted_at IS NULL THEN '' ELSE name END FROM profile;
