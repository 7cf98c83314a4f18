-- What people of a profile were told. Times are UTC milliseconds, 0 for none. service, threshold (per cent), used and
-- allowed (base units) and cycle_start are of a service at its limit; device_id, every_ms and last_input of a silent
-- device and of one that is heard again, of which of names the alert of its silence.
CREATE TABLE alert (
  profile_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  service TEXT NOT NULL,
  threshold BIGINT NOT NULL,
  used BIGINT NOT NULL,
  allowed BIGINT NOT NULL,
  cycle_start BIGINT NOT NULL,
  device_id TEXT NOT NULL,
  every_ms BIGINT NOT NULL,
  last_input BIGINT NOT NULL,
  of_alert TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  acknowledged_at BIGINT NOT NULL,
  acknowledged_by TEXT NOT NULL,
  PRIMARY KEY (profile_id, id)
);
CREATE INDEX alert_time ON alert (profile_id, created_at, id);
CREATE INDEX alert_device ON alert (profile_id, device_id) WHERE device_id <> '';
CREATE INDEX alert_old ON alert (created_at);

-- Which thresholds a profile was told of, once for each cycle and value of the limit. armed: a stock has fallen far
-- enough since that it is to be told again.
CREATE TABLE alert_level (
  profile_id TEXT NOT NULL,
  cycle_start BIGINT NOT NULL,
  service TEXT NOT NULL,
  threshold BIGINT NOT NULL,
  allowed BIGINT NOT NULL,
  armed BOOLEAN NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, cycle_start, service, threshold, allowed)
);
CREATE INDEX alert_level_old ON alert_level (at);

-- How often a device, or each device of a tag when device_id is '', should be heard.
CREATE TABLE silence_rule (
  profile_id TEXT NOT NULL,
  id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  tag_key TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  every_ms BIGINT NOT NULL,
  set_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, id)
);
CREATE UNIQUE INDEX silence_rule_of ON silence_rule (profile_id, device_id, tag_key, tag_value);
CREATE INDEX silence_rule_every ON silence_rule (every_ms, profile_id, id);

-- A device that is silent (alert_id names the alert), or whose waiting was begun anew at from_at.
CREATE TABLE silence (
  profile_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  alert_id TEXT NOT NULL,
  rule_id TEXT NOT NULL,
  every_ms BIGINT NOT NULL,
  last_input BIGINT NOT NULL,
  PRIMARY KEY (profile_id, device_id)
);
CREATE INDEX silence_open ON silence (profile_id, device_id) WHERE alert_id <> '';

-- When a profile was last resumed: its devices could not be heard before.
CREATE TABLE silence_resume (
  profile_id TEXT NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL
);

-- Global, one row: when silent devices were last looked for, and the last span in which nobody could be heard
-- because no server ran.
CREATE TABLE silence_look (
  id BIGINT NOT NULL PRIMARY KEY,
  looked_at BIGINT NOT NULL,
  gap_from BIGINT NOT NULL,
  gap_to BIGINT NOT NULL
);
