-- Refusals of a profile by clock minute, device, reason and route. minute is its start in UTC milliseconds;
-- device_id is '' where none was named. name and scope say which limit; "other" gathers what came after a
-- minute had too many groups. points are those of refused bodies, each body once; retried the part of them that
-- the device sent again and that was accepted. Written in batches by each node, as sums.
CREATE TABLE refusal (
  profile_id TEXT NOT NULL,
  minute BIGINT NOT NULL,
  device_id TEXT NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  route TEXT NOT NULL,
  status BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  points BIGINT NOT NULL,
  retried BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, minute, device_id, name, scope, route)
);
CREATE INDEX refusal_minute ON refusal (minute);
