-- Global. How full the disk was each hour, in bytes: what the database and the files took, and what was free of how much on the
-- disk of the data folder. -1 for what cannot be known.
CREATE TABLE disk_sample (
  at BIGINT NOT NULL PRIMARY KEY,
  database_bytes BIGINT NOT NULL,
  files_bytes BIGINT NOT NULL,
  free_bytes BIGINT NOT NULL,
  total_bytes BIGINT NOT NULL
);

-- Global. Verifications, of which one runs at a time: by the node that says so again until held_until. origin is page, schedule or
-- command, account whoever asked on the page. findings is a JSON list of the first lines, found how many there were; failure
-- says why it did not end. done and total are of its progress.
CREATE TABLE verify_run (
  id TEXT NOT NULL PRIMARY KEY,
  origin TEXT NOT NULL,
  account TEXT NOT NULL,
  began_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  held_until BIGINT NOT NULL,
  step TEXT NOT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  found BIGINT NOT NULL,
  findings TEXT NOT NULL,
  checked TEXT NOT NULL,
  failure TEXT NOT NULL
);
CREATE INDEX verify_run_began ON verify_run (began_at);
-- One at a time.
CREATE UNIQUE INDEX verify_run_open ON verify_run (finished_at) WHERE finished_at = 0;

-- Global. Backups of the whole server by the command line: where, of what, or why there is none.
CREATE TABLE server_backup (
  at BIGINT NOT NULL PRIMARY KEY,
  folder TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  files BIGINT NOT NULL,
  took_ms BIGINT NOT NULL,
  with_database BOOLEAN NOT NULL,
  with_key BOOLEAN NOT NULL,
  failure TEXT NOT NULL
);
