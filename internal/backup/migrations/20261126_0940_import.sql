-- Global: imports that accounts have asked for, while they run and some days longer. One runs for an account at a time. The
-- process that runs one says so every few seconds in beat_at; one that is silent is over.
CREATE TABLE import_run (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  state TEXT NOT NULL,
  points BIGINT NOT NULL,
  total BIGINT NOT NULL,
  report TEXT NOT NULL,
  error TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  beat_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX import_run_one ON import_run (account) WHERE state = 'running';
CREATE INDEX import_run_account ON import_run (account, created_at);
CREATE INDEX import_run_old ON import_run (created_at);
