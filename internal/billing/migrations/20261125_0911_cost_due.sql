-- What is to be rated is read in the order in which it is due, an account after the other.
DROP INDEX cost_rated_due;
CREATE INDEX cost_rated_due ON cost_rated (next_at, account);
