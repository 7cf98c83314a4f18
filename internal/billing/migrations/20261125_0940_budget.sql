-- Global: what an owner means to spend in a cycle on the account, or on one profile of it ('' for all). shares are per cents of
-- cents at which the owner is told, as a JSON list in ascending order.
CREATE TABLE budget (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  cents BIGINT NOT NULL,
  currency TEXT NOT NULL,
  shares TEXT NOT NULL,
  forecast BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX budget_account ON budget (account, id);
CREATE INDEX budget_profile ON budget (profile) WHERE profile <> '';

-- Global: what an owner was told of a budget in a cycle: that a share was reached, or, share 0, that it will be overrun. The key
-- decides who tells, and another amount of the budget tells anew. micro is what the cost was, or will be.
CREATE TABLE budget_told (
  budget TEXT NOT NULL,
  cycle BIGINT NOT NULL,
  share BIGINT NOT NULL,
  cents BIGINT NOT NULL,
  account TEXT NOT NULL,
  micro BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (budget, cycle, share, cents)
);
CREATE INDEX budget_told_account ON budget_told (account, at);
CREATE INDEX budget_told_at ON budget_told (at);
