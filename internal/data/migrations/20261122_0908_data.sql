-- A series is one variable of one device in one chunk. Its number names its points in the table point.
CREATE TABLE series (
  profile_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  chunk BIGINT NOT NULL,
  variable TEXT NOT NULL,
  no BIGINT NOT NULL,
  PRIMARY KEY (profile_id, device_id, chunk, variable)
);
CREATE UNIQUE INDEX series_no ON series (profile_id, no);

-- The last series number given in each profile; numbers are never given twice.
CREATE TABLE series_number (
  profile_id TEXT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);

-- A chunk is a period of an immutable device's data, or all of a mutable one's (start 0). points is exact.
-- epoch changes whenever series of the chunk end, so that nobody stores into a series that is gone.
CREATE TABLE chunk (
  profile_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  start BIGINT NOT NULL,
  profile_no BIGINT NOT NULL,
  points BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  first_no BIGINT NOT NULL,
  last_no BIGINT NOT NULL,
  PRIMARY KEY (profile_id, device_id, start)
);

-- Series that were taken off their device. Their points are out of sight and counted by nobody, and wait for
-- the purge.
CREATE TABLE series_purge (
  profile_id TEXT NOT NULL,
  series BIGINT NOT NULL,
  profile_no BIGINT NOT NULL,
  PRIMARY KEY (profile_id, series)
);

-- What was answered to a POST that carried an Idempotency-Key.
CREATE TABLE idempotency (
  profile_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  points BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, device_id, key)
);
CREATE INDEX idempotency_at ON idempotency (at);
