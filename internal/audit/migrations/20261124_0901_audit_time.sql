-- Ids begin with the millisecond, so the primary key is the order of a profile's events. The index by time is the purge's,
-- which goes across profiles.
DROP INDEX audit_entry_at;
CREATE INDEX audit_entry_at ON audit_entry (at, profile_id, id);

DROP INDEX audit_account_at;
CREATE INDEX audit_account_of ON audit_account (account_id, id);
