-- Global: how far a charge that profiles share has been rated by use: so many of its hours, the next of which ends at next_at
-- (the largest BIGINT when none is left), and what each profile has of them so far, as JSON {profile: micro-units}; "" is
-- what nobody has. A map in one row, because an account of a thousand profiles would otherwise rewrite thousands of rows an hour, and
-- read hundreds of thousands for a month.
CREATE TABLE cost_rated (
  charge TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  hours BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  shares TEXT NOT NULL
);
CREATE INDEX cost_rated_due ON cost_rated (next_at);
CREATE INDEX cost_rated_account ON cost_rated (account);

-- Global: the same by day. at is the start of the first hour of the charge in that day; first is its number in the charge, from 0.
CREATE TABLE cost_use (
  charge TEXT NOT NULL,
  at BIGINT NOT NULL,
  first BIGINT NOT NULL,
  hours BIGINT NOT NULL,
  micro BIGINT NOT NULL,
  shares TEXT NOT NULL,
  PRIMARY KEY (charge, at)
);

-- Global: what an owner says that the whole server costs a cycle, and the percents of it that fall to services, as JSON. charged_to is
-- how far it has become charges; version counts its changes.
CREATE TABLE cost_figure (
  account TEXT NOT NULL PRIMARY KEY,
  amount BIGINT NOT NULL,
  currency TEXT NOT NULL,
  shares TEXT NOT NULL,
  version BIGINT NOT NULL,
  charged_to BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX cost_figure_due ON cost_figure (charged_to);

-- Global: how an owner likes to see costs; '' for by itself.
CREATE TABLE cost_setting (
  account TEXT NOT NULL PRIMARY KEY,
  basis TEXT NOT NULL,
  spread TEXT NOT NULL
);
