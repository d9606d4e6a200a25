-- What applications have used of trunks, by the day since 1970-01-01 (UTC).
CREATE TABLE trunk_usage (
    day INTEGER NOT NULL,
    app TEXT NOT NULL,
    calls INTEGER NOT NULL,
    connected_ms INTEGER NOT NULL,
    PRIMARY KEY (day, app)
) STRICT, WITHOUT ROWID;
