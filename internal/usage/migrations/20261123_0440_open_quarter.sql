-- What points added in the quarter of an hour that runs is not in the ledger yet but here, so that a point writes one
-- row less: open_input is what was added of input, open_data_records the level of data_records, NULL when it did not
-- change since the ledger was written. Both belong to counter.quarter.
ALTER TABLE counter ADD COLUMN open_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN open_data_records BIGINT;
