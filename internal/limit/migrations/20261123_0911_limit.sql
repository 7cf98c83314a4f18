-- How many requests of a clock minute a profile's counter has given to nodes: leased, spent or not. name is the
-- route, "console " and the route, or "data_input rpm" and "data_output rpm", of a device followed by its id.
-- minute counts from 1970; a row of an earlier minute counts as zero.
CREATE TABLE rate (
  profile_id TEXT NOT NULL,
  name TEXT NOT NULL,
  minute BIGINT NOT NULL,
  taken BIGINT NOT NULL,
  allowed BIGINT NOT NULL,
  PRIMARY KEY (profile_id, name)
);
CREATE INDEX rate_minute ON rate (minute);
