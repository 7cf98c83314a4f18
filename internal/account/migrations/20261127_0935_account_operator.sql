-- Global. Sign-ins that failed: wrong passwords and wrong codes of a clock hour, by account ('' for e-mails that have none: what
-- people mistype is nobody's business) and by address as the throttle counts it. Kept for two days, for operators.
CREATE TABLE account_failure (
  hour BIGINT NOT NULL,
  account TEXT NOT NULL,
  addr TEXT NOT NULL,
  kind TEXT NOT NULL,
  count BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (hour, account, addr, kind)
);
CREATE INDEX account_failure_account ON account_failure (account);

-- The orders in which operators list accounts. A search reads the second part of account_name and no account that it does not find.
CREATE INDEX account_name ON account (lower(name), lower(name || ' ' || email || ' ' || COALESCE(company, '')), id);
CREATE INDEX account_plan ON account (plan, id);
CREATE INDEX account_created ON account (created_at, id);
CREATE INDEX account_login ON account (COALESCE(last_login, 0), id);
CREATE INDEX account_blocked ON account (blocked, id);
CREATE INDEX account_operator ON account (operator, id);
CREATE INDEX account_active ON account (active, id);
