-- Every catalogue that was ever in force, as its file was written. source is builtin, file (of serve) or apply. Accounts on plans
-- whose pools another version changed are fitted one by one: fitted_to is the last one done, fitted says that all are.
CREATE TABLE catalogue_version (
  version BIGINT NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  text TEXT NOT NULL,
  at BIGINT NOT NULL,
  fitted_to TEXT NOT NULL,
  fitted BOOLEAN NOT NULL
);
