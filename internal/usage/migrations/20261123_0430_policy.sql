-- What happens at the limit of a service: a row for each that is not blocked.
CREATE TABLE limit_policy (
  profile_id TEXT NOT NULL,
  service TEXT NOT NULL,
  policy TEXT NOT NULL,
  PRIMARY KEY (profile_id, service)
);

-- How much of what is used was accepted beyond the limit and marked. x_used and x_allowed include it: what a
-- profile may use by its allocation is x_allowed - x_over.
ALTER TABLE counter ADD COLUMN input_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN output_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN analysis_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN data_records_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN sms_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN email_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN run_users_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN push_notification_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN file_storage_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN input_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN output_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN analysis_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN data_records_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN sms_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN email_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN run_users_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN push_notification_over BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter_history ADD COLUMN file_storage_over BIGINT NOT NULL DEFAULT 0;

-- The part of the quarter that was marked, of a stock the level it ended with; NULL when that did not change.
ALTER TABLE ledger ADD COLUMN input_over BIGINT;
ALTER TABLE ledger ADD COLUMN output_over BIGINT;
ALTER TABLE ledger ADD COLUMN analysis_over BIGINT;
ALTER TABLE ledger ADD COLUMN data_records_over BIGINT;
ALTER TABLE ledger ADD COLUMN sms_over BIGINT;
ALTER TABLE ledger ADD COLUMN email_over BIGINT;
ALTER TABLE ledger ADD COLUMN run_users_over BIGINT;
ALTER TABLE ledger ADD COLUMN push_notification_over BIGINT;
ALTER TABLE ledger ADD COLUMN file_storage_over BIGINT;
