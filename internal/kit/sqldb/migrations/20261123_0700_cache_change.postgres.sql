-- What changed before the server stopped concerns no cache that is there now.
DROP TABLE cache_change;
-- seq is the number of the transaction that wrote the row: numbers grow as transactions begin to write, and a snapshot
-- knows below which one all have ended.
CREATE TABLE cache_change (
  seq BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL
);
CREATE INDEX cache_change_seq ON cache_change (seq);
