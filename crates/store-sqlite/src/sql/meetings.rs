use model::{MeetingId, OnlineMeeting, TenantId, Timestamp};
use rusqlite::{Connection, Row, params};
use store::{MAX_PURGED_MEETINGS, MeetingCreation, MeetingKey, MeetingQuota, Month, StoreError};

use super::{first, limit, rows, signed};
use crate::document;
use crate::error::{Failure, corrupt};

/// A meeting whose value is already text: that is work for the caller's thread, not for the one writer.
pub(crate) struct PreparedMeeting {
    meeting: OnlineMeeting,
    document: String,
}

impl PreparedMeeting {
    pub(crate) fn new(meeting: OnlineMeeting) -> Result<Self, StoreError> {
        let document = document::write(&meeting)?;
        Ok(Self { meeting, document })
    }

    pub(crate) fn weight(&self) -> usize {
        self.document.len()
    }
}

pub(crate) fn create_meeting(
    connection: &Connection,
    new: &PreparedMeeting,
    quota: MeetingQuota,
) -> Result<MeetingCreation, Failure> {
    let meeting = &new.meeting;
    if let Some(external_id) = meeting.external_id.clone() {
        let key = MeetingKey::External { organizer: meeting.organizer.clone(), external_id };
        if let Some(found) = self::meeting(connection, &meeting.tenant, &key)? {
            return Ok(MeetingCreation::Found(Box::new(found)));
        }
    }
    if !count(connection, meeting, quota)? {
        return Ok(MeetingCreation::OverQuota);
    }
    insert(connection, new)?;
    Ok(MeetingCreation::Created)
}

/// Counts a meeting of its organizer's; `false` where there are as many as may be.
fn count(connection: &Connection, meeting: &OnlineMeeting, quota: MeetingQuota) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO meetings_made (tenant, organizer, month, made) SELECT ?1, ?2, ?3, 1 WHERE ?4 > 0
         ON CONFLICT (tenant, organizer, month) DO UPDATE SET made = made + 1 WHERE made < ?4",
    )?;
    let (tenant, organizer) = (meeting.tenant.as_str(), meeting.organizer.as_str());
    Ok(statement.execute(params![tenant, organizer, quota.month.0, quota.most])? > 0)
}

fn insert(connection: &Connection, new: &PreparedMeeting) -> Result<(), Failure> {
    let meeting = &new.meeting;
    refuse_taken(connection, meeting)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO meetings (tenant, id, thread, join_meeting_id, video_teleconference_id, organizer, external_id,
             is_from_file, ends_at, revision, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        meeting.tenant.as_str(),
        meeting.id.as_str(),
        meeting.thread_id,
        meeting.join_meeting_id,
        meeting.video_teleconference_id,
        meeting.organizer.as_str(),
        meeting.external_id,
        meeting.is_from_file,
        meeting.ends_at.as_millis(),
        signed(meeting.revision)?,
        new.document
    ])?;
    Ok(())
}

/// Replaces a meeting that is at the revision before; `false` where none is.
pub(crate) fn change_meeting(connection: &Connection, changed: &PreparedMeeting) -> Result<bool, Failure> {
    let meeting = &changed.meeting;
    let mut statement = connection
        .prepare_cached("DELETE FROM meetings WHERE tenant = ?1 AND id = ?2 AND revision = ?3 - 1")?;
    let (tenant, id) = (meeting.tenant.as_str(), meeting.id.as_str());
    if statement.execute(params![tenant, id, signed(meeting.revision)?])? == 0 {
        return Ok(false);
    }
    insert(connection, changed)?;
    Ok(true)
}

/// Removes meetings, then puts others: so two that exchange an id are not in each other's way.
pub(crate) fn replace_meetings(
    connection: &Connection,
    removed: &[(TenantId, MeetingId)],
    put: &[PreparedMeeting],
) -> Result<(), Failure> {
    for (tenant, id) in removed {
        delete_meeting(connection, tenant, id)?;
    }
    for PreparedMeeting { meeting, .. } in put {
        delete_meeting(connection, &meeting.tenant, &meeting.id)?;
    }
    put.iter().try_for_each(|meeting| insert(connection, meeting))
}

pub(crate) fn delete_meeting(
    connection: &Connection,
    tenant: &TenantId,
    id: &MeetingId,
) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached("DELETE FROM meetings WHERE tenant = ?1 AND id = ?2")?;
    Ok(statement.execute([tenant.as_str(), id.as_str()])? > 0)
}

/// Says which id of a meeting is another's. The table's constraints would refuse it too, but not say it.
fn refuse_taken(connection: &Connection, meeting: &OnlineMeeting) -> Result<(), Failure> {
    let mut keys = vec![
        ("meeting id", MeetingKey::Id(meeting.id.clone())),
        ("thread", MeetingKey::Thread(meeting.thread_id.clone())),
        ("join meeting id", MeetingKey::JoinMeetingId(meeting.join_meeting_id.clone())),
    ];
    if let Some(id) = meeting.video_teleconference_id.clone() {
        keys.push(("video teleconference id", MeetingKey::VideoTeleconferenceId(id)));
    }
    if let Some(external_id) = meeting.external_id.clone() {
        let organizer = meeting.organizer.clone();
        keys.push(("external id of its organizer", MeetingKey::External { organizer, external_id }));
    }
    for (what, key) in keys {
        if self::meeting(connection, &meeting.tenant, &key)?.is_some() {
            return Err(Failure::Request(StoreError::Taken(what)));
        }
    }
    Ok(())
}

pub(crate) fn meeting(
    connection: &Connection,
    tenant: &TenantId,
    key: &MeetingKey,
) -> Result<Option<OnlineMeeting>, Failure> {
    let (query, value) = match key {
        MeetingKey::External { organizer, external_id } => {
            return first(
                connection,
                "SELECT document FROM meetings WHERE tenant = ?1 AND organizer = ?2 AND external_id = ?3",
                [tenant.as_str(), organizer.as_str(), external_id],
                read_meeting,
            );
        }
        MeetingKey::Id(id) => ("SELECT document FROM meetings WHERE tenant = ?1 AND id = ?2", id.as_str()),
        MeetingKey::JoinMeetingId(id) => {
            ("SELECT document FROM meetings WHERE tenant = ?1 AND join_meeting_id = ?2", id.as_str())
        }
        MeetingKey::Thread(thread) => {
            ("SELECT document FROM meetings WHERE tenant = ?1 AND thread = ?2", thread.as_str())
        }
        MeetingKey::VideoTeleconferenceId(id) => {
            ("SELECT document FROM meetings WHERE tenant = ?1 AND video_teleconference_id = ?2", id.as_str())
        }
    };
    first(connection, query, [tenant.as_str(), value], read_meeting)
}

pub(crate) fn meetings_from_file(connection: &Connection) -> Result<Vec<OnlineMeeting>, Failure> {
    rows(
        connection,
        "SELECT document FROM meetings WHERE is_from_file = 1 ORDER BY tenant, id",
        [],
        read_meeting,
    )
}

pub(crate) fn meetings(
    connection: &Connection,
    after: Option<&(TenantId, MeetingId)>,
    max: usize,
) -> Result<Vec<OnlineMeeting>, Failure> {
    let key = match after {
        Some((tenant, id)) => first(
            connection,
            "SELECT key FROM meetings WHERE tenant = ?1 AND id = ?2",
            [tenant.as_str(), id.as_str()],
            |row| Ok(row.get::<_, i64>(0)?),
        )?
        .ok_or(Failure::invalid("a meeting to go on from that is not kept"))?,
        None => i64::MAX,
    };
    rows(
        connection,
        "SELECT document FROM meetings WHERE key < ?1 ORDER BY key DESC LIMIT ?2",
        params![key, limit(max)],
        read_meeting,
    )
}

pub(crate) fn purge_meetings(
    connection: &Connection,
    before: Timestamp,
    month: Month,
) -> Result<usize, Failure> {
    let most = limit(MAX_PURGED_MEETINGS);
    let mut counts = connection.prepare_cached(
        "DELETE FROM meetings_made WHERE (tenant, organizer, month) IN (
             SELECT tenant, organizer, month FROM meetings_made WHERE month < ?1 LIMIT ?2)",
    )?;
    counts.execute(params![month.0, most])?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM meetings WHERE key IN (
             SELECT key FROM meetings WHERE is_from_file = 0 AND ends_at < ?1 ORDER BY ends_at LIMIT ?2)",
    )?;
    Ok(statement.execute(params![before.as_millis(), most])?)
}

fn read_meeting(row: &Row<'_>) -> Result<OnlineMeeting, Failure> {
    let text = row.get_ref("document")?;
    document::read("meeting", text.as_str().map_err(|error| corrupt("meeting", error))?)
}
