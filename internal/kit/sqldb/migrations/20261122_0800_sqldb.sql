CREATE TABLE cache_change (
  id TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL
);
CREATE INDEX cache_change_at ON cache_change (at);

CREATE TABLE round (
  id TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL
);
CREATE INDEX round_at ON round (at);
