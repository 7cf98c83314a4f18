-- What a profile that is deleted, or in the making, stores; the part that was accepted beyond a limit; and what it was
-- allocated, 0 for nothing. What it holds and its policies stay in held and limit_policy. It has no counter meanwhile.
CREATE TABLE resting (
  profile_id TEXT NOT NULL PRIMARY KEY,
  data_records_used BIGINT NOT NULL,
  run_users_used BIGINT NOT NULL,
  file_storage_used BIGINT NOT NULL,
  data_records_over BIGINT NOT NULL,
  run_users_over BIGINT NOT NULL,
  file_storage_over BIGINT NOT NULL,
  automatic BOOLEAN NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  data_records BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  run_users BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  file_storage BIGINT NOT NULL
);

-- Global: what profiles that left an account had used of its cycle, so that no unit of a flow is spent twice. A profile may leave
-- an account more than once in a cycle: each time its own counter's cycle, which began at cycle_start, is another. What it used
-- from until_at on is not the account's.
ALTER TABLE departed RENAME TO departed_before;
CREATE TABLE departed (
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  cycle_start BIGINT NOT NULL,
  cycle_end BIGINT NOT NULL,
  until_at BIGINT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  PRIMARY KEY (account, profile, cycle_start)
);
INSERT INTO departed (account, profile, cycle_start, cycle_end, until_at, input, output, analysis, sms, email, push_notification)
  SELECT d.account, d.profile, COALESCE((SELECT MAX(h.cycle_start) FROM counter_history h WHERE h.profile_id = d.profile AND h.cycle_end = d.cycle_end), d.cycle_end),
    d.cycle_end, d.cycle_end, d.input, d.output, d.analysis, d.sms, d.email, d.push_notification
  FROM departed_before d;
DROP TABLE departed_before;
