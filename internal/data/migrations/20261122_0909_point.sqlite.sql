-- no is the rowid: points lie in the order in which they were stored, and the index ends in no by itself.
CREATE TABLE point (
  no INTEGER PRIMARY KEY,
  profile_no BIGINT NOT NULL,
  series BIGINT NOT NULL,
  time BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  num DOUBLE PRECISION,
  txt TEXT,
  unit TEXT,
  grp TEXT,
  lat DOUBLE PRECISION,
  lng DOUBLE PRECISION,
  metadata TEXT
);
CREATE INDEX point_time ON point (profile_no, series, time);
