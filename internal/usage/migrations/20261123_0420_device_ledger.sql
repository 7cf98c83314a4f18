-- What each device of a profile used in each whole hour of UTC, written with what the profile's ledger says.
CREATE TABLE device_ledger (
  profile_id TEXT NOT NULL,
  hour BIGINT NOT NULL,
  device_id TEXT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  dashboard_output BIGINT NOT NULL,
  PRIMARY KEY (profile_id, hour, device_id)
);
