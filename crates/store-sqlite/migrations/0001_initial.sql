-- Values are kept whole, as JSON, in `document`; the other columns are what is searched for. GUIDs are 16 bytes, times
-- are milliseconds since the Unix epoch. `key` counts up, so that new rows and their index entries lie together and a
-- commit touches few pages, which random GUIDs as keys would not.

CREATE TABLE calls (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    is_live INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    callback_redirect TEXT,
    document TEXT NOT NULL
) STRICT;

CREATE INDEX live_calls ON calls (key) WHERE is_live = 1;
CREATE INDEX ended_calls ON calls (changed_at) WHERE is_live = 0;

CREATE TABLE operations (
    key INTEGER PRIMARY KEY,
    call INTEGER NOT NULL REFERENCES calls (key) ON DELETE CASCADE,
    id BLOB NOT NULL,
    is_over INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (call, id)
) STRICT;

-- state: 0 pending, 1 delivered, 2 abandoned.
CREATE TABLE notifications (
    key INTEGER PRIMARY KEY,
    call INTEGER NOT NULL REFERENCES calls (key) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    state INTEGER NOT NULL,
    app TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (call, sequence)
) STRICT;

CREATE INDEX owed_notifications ON notifications (call, sequence) WHERE state = 0;
CREATE INDEX notifications_by_app ON notifications (app, key);

CREATE TABLE attempts (
    notification INTEGER NOT NULL REFERENCES notifications (key) ON DELETE CASCADE,
    slot INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (notification, slot)
) STRICT, WITHOUT ROWID;

-- No cascade: the row is what finds the file, so a call stays until its recordings are forgotten.
CREATE TABLE recordings (
    id BLOB PRIMARY KEY,
    call INTEGER NOT NULL REFERENCES calls (key),
    operation BLOB NOT NULL,
    path TEXT NOT NULL,
    token_sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX recordings_by_call ON recordings (call);
CREATE INDEX recordings_by_expiry ON recordings (expires_at);

-- purpose: 0 notifications, 1 tokens.
CREATE TABLE signing_keys (
    purpose INTEGER NOT NULL,
    id TEXT NOT NULL,
    pkcs8 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, id)
) STRICT, WITHOUT ROWID;

-- kind: tenant, application, user, instance.
CREATE TABLE directory (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE directory_version (version INTEGER NOT NULL) STRICT;
INSERT INTO directory_version (version) VALUES (0);
