-- For the last level before an instant: these stocks change so rarely that it stands far back in the ledger.
CREATE INDEX ledger_run_users ON ledger (profile_id, quarter) WHERE run_users IS NOT NULL;
CREATE INDEX ledger_file_storage ON ledger (profile_id, quarter) WHERE file_storage IS NOT NULL;
