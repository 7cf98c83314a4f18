-- Global: what a person's bell shows. Times are UTC milliseconds; read_at is 0 while unread, and unread_since is when it
-- was last made so. profile is '' for what concerns the account only; ref names what a later room asks about.
CREATE TABLE notification (
  account TEXT NOT NULL,
  id TEXT NOT NULL,
  profile TEXT NOT NULL,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  icon TEXT NOT NULL,
  buttons TEXT NOT NULL,
  buttons_enabled BOOLEAN NOT NULL,
  buttons_autodisable BOOLEAN NOT NULL,
  ref TEXT NOT NULL,
  read_at BIGINT NOT NULL,
  unread_since BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, id)
);
CREATE INDEX notification_time ON notification (account, created_at, id);
CREATE INDEX notification_unread ON notification (account, profile) WHERE read_at = 0;
CREATE INDEX notification_ignored ON notification (unread_since) WHERE read_at = 0;
CREATE INDEX notification_old ON notification (created_at);
CREATE INDEX notification_profile ON notification (profile, id) WHERE profile <> '';

-- Global: how many notifications a person never read and cannot read any more, since when.
CREATE TABLE notification_lost (
  account TEXT NOT NULL PRIMARY KEY,
  lost BIGINT NOT NULL,
  since BIGINT NOT NULL
);

-- Global: what a person wants to be told by mail and by notification, of one profile, or of all when profile is ''.
-- choices is JSON: channel, kind, true or false; what is not said follows the row of all profiles, then the default.
CREATE TABLE notify_choice (
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  choices TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, profile)
);
CREATE INDEX notify_choice_profile ON notify_choice (profile) WHERE profile <> '';

-- Global, looked up by whoever sends: where events are posted to. subject is 'account/<id>' for all profiles of an account,
-- 'profile/<id>' for one, where url '' means none although the account has one. kinds is JSON as in notify_choice.
CREATE TABLE webhook (
  subject TEXT NOT NULL PRIMARY KEY,
  url TEXT NOT NULL,
  sealed TEXT NOT NULL,
  kinds TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- The telling of an event to one address: outbox of webhooks and history of all channels. profile_id is '' for what
-- concerns an account only. subject is the webhook's; body is what will be posted, '' once it is over.
CREATE TABLE delivery (
  profile_id TEXT NOT NULL,
  id TEXT NOT NULL,
  account TEXT NOT NULL,
  subject TEXT NOT NULL,
  event TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  channel TEXT NOT NULL,
  target TEXT NOT NULL,
  body TEXT NOT NULL,
  status TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  reason TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  done_at BIGINT NOT NULL,
  PRIMARY KEY (profile_id, id)
);
CREATE INDEX delivery_time ON delivery (profile_id, created_at, id);
CREATE INDEX delivery_due ON delivery (subject, next_at) WHERE channel = 'webhook' AND status = 'waiting';
CREATE INDEX delivery_old ON delivery (created_at);
