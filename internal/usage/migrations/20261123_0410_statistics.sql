-- How far a profile's ledger has been folded: rows before hours_to are of an hour each, before days_to of a day.
CREATE TABLE ledger_fold (
  profile_id TEXT NOT NULL PRIMARY KEY,
  hours_to BIGINT NOT NULL,
  days_to BIGINT NOT NULL
);
