-- Ids of meetings are unique within their tenant; of the two that may be missing, any number are. `organizer` with
-- `external_id` is the key of createOrGet.
CREATE TABLE meetings (
    key INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    thread TEXT NOT NULL,
    join_meeting_id TEXT NOT NULL,
    video_teleconference_id TEXT,
    organizer TEXT NOT NULL,
    external_id TEXT,
    is_from_file INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (tenant, id),
    UNIQUE (tenant, thread),
    UNIQUE (tenant, join_meeting_id),
    UNIQUE (tenant, video_teleconference_id),
    UNIQUE (tenant, organizer, external_id)
) STRICT;

CREATE INDEX meetings_of_file ON meetings (tenant, id) WHERE is_from_file = 1;
CREATE INDEX ended_meetings ON meetings (ends_at) WHERE is_from_file = 0;

-- How many were made for somebody in a calendar month, those included that were deleted since.
CREATE TABLE meetings_made (
    tenant TEXT NOT NULL,
    organizer TEXT NOT NULL,
    month INTEGER NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (tenant, organizer, month)
) STRICT, WITHOUT ROWID;

CREATE INDEX meetings_made_by_month ON meetings_made (month);

-- Calls say what they are between. Those of the first schema were all between an application and one other.
UPDATE calls
SET document = json_set(document, '$.kind',
    json_object('PeerToPeer', json_object('callee', json_extract(document, '$.callee'))))
WHERE json_type(document, '$.kind') IS NULL;

UPDATE notifications
SET document = json_set(document, '$.body.Call.kind',
    json_object('PeerToPeer', json_object('callee', json_extract(document, '$.body.Call.callee'))))
WHERE json_type(document, '$.body.Call') IS NOT NULL AND json_type(document, '$.body.Call.kind') IS NULL;
