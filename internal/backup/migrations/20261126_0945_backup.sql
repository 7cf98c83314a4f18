-- Backups of a profile: archives that its owner asked for (origin request) or that its schedule makes (schedule). Times are UTC
-- milliseconds, 0 for none. target is server (the installation's own files) or external, file the key of the archive there, '' for
-- none. Whoever makes one is node, until held_until unless it says so again. A row that is deleted stays for a while, since it counts
-- for its day. account owned the profile when it began.
CREATE TABLE profile_backup (
  profile_id TEXT NOT NULL,
  id TEXT NOT NULL,
  status TEXT NOT NULL,
  origin TEXT NOT NULL,
  with_data BOOLEAN NOT NULL,
  encrypted BOOLEAN NOT NULL,
  target TEXT NOT NULL,
  file TEXT NOT NULL,
  size BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  reason TEXT NOT NULL,
  node TEXT NOT NULL,
  held_until BIGINT NOT NULL,
  account TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, id)
);
-- One at a time.
CREATE UNIQUE INDEX profile_backup_open ON profile_backup (profile_id) WHERE status IN ('queued', 'processing');
CREATE INDEX profile_backup_waiting ON profile_backup (created_at) WHERE status IN ('queued', 'processing');
CREATE INDEX profile_backup_old ON profile_backup (expires_at) WHERE expires_at > 0;

-- Links by which a backup is downloaded without signing in: the hash of the secret in each, and who it was given to.
CREATE TABLE backup_link (
  profile_id TEXT NOT NULL,
  backup_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  account TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, backup_id, hash)
);
CREATE INDEX backup_link_old ON backup_link (expires_at);

-- When a profile is backed up by itself. every is day or week, weekday 0 (Sunday) to 6, hour that of the owner's zone; passphrase is
-- sealed, '' for none; keep_last and keep_days are 0 for no such bound. account owned the profile when this was set. due_at is the
-- last instant a backup was due, done_at that of the last one that was made, told_at when people were told that they fail.
CREATE TABLE backup_schedule (
  profile_id TEXT NOT NULL PRIMARY KEY,
  active BOOLEAN NOT NULL,
  every TEXT NOT NULL,
  weekday BIGINT NOT NULL,
  hour BIGINT NOT NULL,
  with_data BOOLEAN NOT NULL,
  target TEXT NOT NULL,
  passphrase TEXT NOT NULL,
  keep_last BIGINT NOT NULL,
  keep_days BIGINT NOT NULL,
  account TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  done_at BIGINT NOT NULL,
  failed_at BIGINT NOT NULL,
  reason TEXT NOT NULL,
  told_at BIGINT NOT NULL
);
CREATE INDEX backup_schedule_next ON backup_schedule (next_at);

-- Global: files of backups that are gone, until they are removed. A row outlives the profile, since its target may be away.
CREATE TABLE backup_trash (
  target TEXT NOT NULL,
  file TEXT NOT NULL,
  since BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  PRIMARY KEY (target, file)
);
CREATE INDEX backup_trash_next ON backup_trash (next_at);
