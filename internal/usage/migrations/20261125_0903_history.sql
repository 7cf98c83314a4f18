-- Global, only ever appended to: what each profile of an account was allocated from an instant on, and that it had nothing any
-- more (gone). version is that of the allocation, so it orders the changes of a profile; at never falls within an account.
CREATE TABLE allocation_history (
  profile TEXT NOT NULL,
  version BIGINT NOT NULL,
  account TEXT NOT NULL,
  at BIGINT NOT NULL,
  gone BOOLEAN NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  data_records BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  run_users BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  file_storage BIGINT NOT NULL,
  PRIMARY KEY (profile, version)
);
CREATE INDEX allocation_history_account ON allocation_history (account, at);

-- Global, only ever appended to: the pool of an account from an instant on.
CREATE TABLE pool_history (
  account TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  analysis BIGINT NOT NULL,
  data_records BIGINT NOT NULL,
  sms BIGINT NOT NULL,
  email BIGINT NOT NULL,
  run_users BIGINT NOT NULL,
  push_notification BIGINT NOT NULL,
  file_storage BIGINT NOT NULL,
  PRIMARY KEY (account, seq)
);

-- What is not known of the past counts as having been so since the profile was made. Pools are added by the server, which
-- knows what plans are.
INSERT INTO allocation_history (profile, version, account, at, gone, input, output, analysis, data_records, sms, email, run_users, push_notification, file_storage)
  SELECT a.profile, a.version, a.account, p.created_at, FALSE, a.input, a.output, a.analysis, a.data_records, a.sms, a.email, a.run_users, a.push_notification, a.file_storage
  FROM allocation a JOIN profile p ON p.id = a.profile;
