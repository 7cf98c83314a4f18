-- Some hundred points of a large body: taken, counted in their chunk, and waiting to be inserted (pieces.go). They
-- belong to the chunk: it never goes without them. BYTEA is a name that SQLite takes for bytes as well.
CREATE TABLE piece (
  profile_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  start BIGINT NOT NULL,
  no BIGINT NOT NULL,
  profile_no BIGINT NOT NULL,
  points BIGINT NOT NULL,
  packed BYTEA NOT NULL,
  PRIMARY KEY (profile_id, device_id, start, no)
);
