-- What changed before the server stopped concerns no cache that is there now.
DROP TABLE cache_change;
-- With one writer, rows are numbered in the order in which they are committed. AUTOINCREMENT uses no number twice.
CREATE TABLE cache_change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL
);
