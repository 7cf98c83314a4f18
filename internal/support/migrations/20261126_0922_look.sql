-- Operators' stays in profiles of others. Global: looked up by operator as well as by profile.
CREATE TABLE operator_look (
    id         TEXT   NOT NULL PRIMARY KEY,
    profile    TEXT   NOT NULL,
    owner      TEXT   NOT NULL, -- of the profile when it was asked for; of another owner's profile it lets nobody in
    operator   TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    hours      BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- asked, active, denied, ended
    asked_at   BIGINT NOT NULL, -- UTC milliseconds, here and below; 0 means none
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL, -- of one that is asked for: until when it can be allowed
    ended_at   BIGINT NOT NULL,
    ended_by   TEXT   NOT NULL, -- who ended or denied it; '' for nobody, it ran out
    decided_by TEXT   NOT NULL  -- who allowed it; '' for nobody, it was not asked
);
CREATE UNIQUE INDEX operator_look_live ON operator_look (profile, operator) WHERE state IN ('asked', 'active');
CREATE INDEX operator_look_profile ON operator_look (profile, asked_at);
CREATE INDEX operator_look_operator ON operator_look (operator, asked_at);
