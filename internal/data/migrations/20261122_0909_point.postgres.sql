CREATE TABLE point (
  no BIGINT NOT NULL,
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
  metadata TEXT,
  PRIMARY KEY (profile_no, no)
);
CREATE INDEX point_time ON point (profile_no, series, time, no);
