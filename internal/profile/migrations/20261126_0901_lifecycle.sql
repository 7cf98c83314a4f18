-- A deleted profile is purged at purge_at and may be restored until then; 0 means that it cannot be any more, and is purged as
-- soon as may be. deleted_by is whoever deleted it. A draft is a profile in the making: it looks like a deleted one to
-- everybody, and is purged like one unless it is published.
ALTER TABLE profile ADD COLUMN purge_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE profile ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE profile ADD COLUMN draft BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX profile_purge;
CREATE INDEX profile_purge ON profile (purge_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;
