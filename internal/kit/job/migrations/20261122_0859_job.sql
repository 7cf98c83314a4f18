CREATE TABLE job_lease (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  held_until BIGINT NOT NULL,
  next_at BIGINT NOT NULL
);
