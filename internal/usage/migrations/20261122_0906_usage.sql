-- Global, because its sum crosses profiles: what each living profile may use. A copy stands in its counter row.
CREATE TABLE allocation (
  profile TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  automatic BOOLEAN NOT NULL,
  version BIGINT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  data_records BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  run_users BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  file_storage BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX allocation_account ON allocation (account);

-- Global: what profiles that left an account had used of its cycle, so that no unit of a flow is spent twice.
CREATE TABLE departed (
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  cycle_end BIGINT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  PRIMARY KEY (account, profile, cycle_end)
);

-- The present cycle of a profile. quarter is the latest quarter of an hour that the ledger has a row for.
CREATE TABLE counter (
  profile_id TEXT NOT NULL PRIMARY KEY,
  cycle_start BIGINT NOT NULL,
  cycle_end BIGINT NOT NULL,
  quarter BIGINT NOT NULL,
  version BIGINT NOT NULL,
  input_used BIGINT NOT NULL,
  output_used BIGINT NOT NULL,
  analysis_used BIGINT NOT NULL,
  data_records_used BIGINT NOT NULL,
  sms_used BIGINT NOT NULL,
  email_used BIGINT NOT NULL,
  run_users_used BIGINT NOT NULL,
  push_notification_used BIGINT NOT NULL,
  file_storage_used BIGINT NOT NULL,
  dashboard_output_used BIGINT NOT NULL,
  input_allowed BIGINT NOT NULL,
  output_allowed BIGINT NOT NULL,
  analysis_allowed BIGINT NOT NULL,
  data_records_allowed BIGINT NOT NULL,
  sms_allowed BIGINT NOT NULL,
  email_allowed BIGINT NOT NULL,
  run_users_allowed BIGINT NOT NULL,
  push_notification_allowed BIGINT NOT NULL,
  file_storage_allowed BIGINT NOT NULL,
  dashboard_output_allowed BIGINT NOT NULL
);

-- Cycles that are over.
CREATE TABLE counter_history (
  profile_id TEXT NOT NULL,
  cycle_start BIGINT NOT NULL,
  cycle_end BIGINT NOT NULL,
  input_used BIGINT NOT NULL,
  output_used BIGINT NOT NULL,
  analysis_used BIGINT NOT NULL,
  data_records_used BIGINT NOT NULL,
  sms_used BIGINT NOT NULL,
  email_used BIGINT NOT NULL,
  run_users_used BIGINT NOT NULL,
  push_notification_used BIGINT NOT NULL,
  file_storage_used BIGINT NOT NULL,
  dashboard_output_used BIGINT NOT NULL,
  input_allowed BIGINT NOT NULL,
  output_allowed BIGINT NOT NULL,
  analysis_allowed BIGINT NOT NULL,
  data_records_allowed BIGINT NOT NULL,
  sms_allowed BIGINT NOT NULL,
  email_allowed BIGINT NOT NULL,
  run_users_allowed BIGINT NOT NULL,
  push_notification_allowed BIGINT NOT NULL,
  file_storage_allowed BIGINT NOT NULL,
  dashboard_output_allowed BIGINT NOT NULL,
  PRIMARY KEY (profile_id, cycle_start)
);

-- A row per quarter of an hour in which something changed: what it added of a flow; the level it ended with of
-- a stock, NULL when that did not change.
CREATE TABLE ledger (
  profile_id TEXT NOT NULL,
  quarter BIGINT NOT NULL,
  input BIGINT NOT NULL DEFAULT 0,
  output BIGINT NOT NULL DEFAULT 0,
  analysis BIGINT NOT NULL DEFAULT 0,
  sms BIGINT NOT NULL DEFAULT 0,
  email BIGINT NOT NULL DEFAULT 0,
  push_notification BIGINT NOT NULL DEFAULT 0,
  dashboard_output BIGINT NOT NULL DEFAULT 0,
  data_records BIGINT,
  run_users BIGINT,
  file_storage BIGINT,
  PRIMARY KEY (profile_id, quarter)
);

-- Units of a flow that a node has taken from the counter and not yet written to the ledger or given back.
CREATE TABLE lease (
  profile_id TEXT NOT NULL,
  node TEXT NOT NULL,
  service TEXT NOT NULL,
  cycle_start BIGINT NOT NULL,
  cycle_end BIGINT NOT NULL,
  taken BIGINT NOT NULL,
  renewed_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, node, service, cycle_start)
);

-- How many of a capped resource a profile holds.
CREATE TABLE held (
  profile_id TEXT NOT NULL,
  resource TEXT NOT NULL,
  used BIGINT NOT NULL,
  PRIMARY KEY (profile_id, resource)
);
