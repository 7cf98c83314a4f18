-- Times are UTC milliseconds; 0 means none (on the wire: null).
CREATE TABLE dashboard (
    profile_id  TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    label_key   TEXT    NOT NULL, -- the label in lower case, folded in Go: SQLite folds ASCII only
    type        TEXT    NOT NULL, -- dashboard, blueprint
    visible     BOOLEAN NOT NULL,
    arrangement TEXT    NOT NULL, -- JSON: where widgets stand
    look        TEXT    NOT NULL, -- JSON object: tabs, icon, theme and whatever else is only drawn
    last_access BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    PRIMARY KEY (profile_id, id)
);
CREATE INDEX dashboard_by_label ON dashboard (profile_id, label_key, id);

CREATE TABLE dashboard_tag (
    profile_id   TEXT   NOT NULL,
    dashboard_id TEXT   NOT NULL,
    pos          BIGINT NOT NULL, -- the order in which they were sent
    key          TEXT   NOT NULL,
    value        TEXT   NOT NULL,
    PRIMARY KEY (profile_id, dashboard_id, pos),
    FOREIGN KEY (profile_id, dashboard_id) REFERENCES dashboard (profile_id, id) ON DELETE CASCADE
);
CREATE INDEX dashboard_tag_by_key ON dashboard_tag (profile_id, lower(key), lower(value));

CREATE TABLE dashboard_widget (
    profile_id   TEXT   NOT NULL,
    dashboard_id TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    body         TEXT   NOT NULL, -- JSON object as sent, without what is in the other columns
    bytes        BIGINT NOT NULL, -- of body
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (profile_id, dashboard_id, id),
    FOREIGN KEY (profile_id, dashboard_id) REFERENCES dashboard (profile_id, id) ON DELETE CASCADE
);
