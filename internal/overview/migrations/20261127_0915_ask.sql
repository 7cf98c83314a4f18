-- When a member last asked the owner for more of a service. UTC milliseconds.
CREATE TABLE ask (
  profile_id TEXT NOT NULL,
  account TEXT NOT NULL,
  service TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, account, service)
);
