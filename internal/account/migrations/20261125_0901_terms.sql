-- What an account has bought or was granted beyond its plan, as JSON that only the room of plans reads; when that changes by
-- itself next, UTC milliseconds, 0 for never; and the instant its cycles are anchored at, 0 for calendar months.
ALTER TABLE account ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN terms_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN anchor BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_terms_until ON account (terms_until) WHERE terms_until > 0;
