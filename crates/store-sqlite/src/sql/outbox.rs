use model::{AppId, Attempt, CallId, Notification, NotificationState, Timestamp};
use rusqlite::{Connection, Row, params};
use store::{CallbackRedirect, Delivery, DeliveryRecord, MAX_ATTEMPTS_KEPT, MAX_RESENDS_KEPT};

use super::{call_key, first, limit, rows, signed, unsigned};
use crate::document;
use crate::error::{Failure, corrupt};

/// Characters kept of an attempt's error: enough for a line of a log.
const MAX_ERROR_CHARS: usize = 500;

/// Writes a notification that is owed from here on.
pub(super) fn insert_notification(
    connection: &Connection,
    notification: &Notification,
    document: &str,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO notifications (call, sequence, state, app, document)
         SELECT key, ?2, 0, ?3, ?4 FROM calls WHERE id = ?1",
    )?;
    let written = statement.execute(params![
        notification.call.guid().as_bytes(),
        signed(notification.sequence)?,
        notification.app.as_str(),
        document
    ])?;
    if written == 0 { Err(Failure::invalid("a notification of a call that is not kept")) } else { Ok(()) }
}

pub(crate) fn owed(
    connection: &Connection,
    max: usize,
    after: Option<(CallId, u64)>,
) -> Result<Vec<Notification>, Failure> {
    let (call, sequence) = match after {
        Some((id, sequence)) => {
            let key =
                call_key(connection, id)?.ok_or(Failure::invalid("a call to go on from that is not kept"))?;
            (key, signed(sequence)?)
        }
        None => (0, 0),
    };
    rows(
        connection,
        "SELECT document FROM notifications WHERE state = 0 AND (call, sequence) > (?1, ?2)
         ORDER BY call, sequence LIMIT ?3",
        params![call, sequence, limit(max)],
        read_notification,
    )
}

pub(crate) fn owed_of_call(
    connection: &Connection,
    call: CallId,
    after_sequence: u64,
    max: usize,
) -> Result<Vec<Notification>, Failure> {
    rows(
        connection,
        "SELECT document FROM notifications
         WHERE state = 0 AND call = (SELECT key FROM calls WHERE id = ?1) AND sequence > ?2
         ORDER BY sequence LIMIT ?3",
        params![call.guid().as_bytes(), signed(after_sequence)?, limit(max)],
        read_notification,
    )
}

pub(crate) fn record_deliveries(connection: &Connection, records: &[DeliveryRecord]) -> Result<(), Failure> {
    for record in records {
        let key = first(
            connection,
            "UPDATE notifications SET state = ?3
             WHERE call = (SELECT key FROM calls WHERE id = ?1) AND sequence = ?2 RETURNING key",
            params![record.call.guid().as_bytes(), signed(record.sequence)?, state_number(record.state)],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        if let (Some(key), Some(attempt)) = (key, &record.attempt) {
            put_attempt(connection, key, attempt)?;
        }
    }
    Ok(())
}

/// Writes an attempt to a slot of its own while there are any, then over the oldest of the second half.
fn put_attempt(connection: &Connection, notification: i64, attempt: &Attempt) -> Result<(), Failure> {
    let half = u32::try_from(MAX_ATTEMPTS_KEPT / 2).unwrap_or(u32::MAX);
    let slot = if attempt.number < half { attempt.number } else { half + attempt.number % half };
    insert_attempt(connection, (notification, slot.into()), attempt)
}

fn insert_attempt(
    connection: &Connection,
    (notification, slot): (i64, i64),
    attempt: &Attempt,
) -> Result<(), Failure> {
    let error: Option<String> =
        attempt.error.as_ref().map(|text| text.chars().take(MAX_ERROR_CHARS).collect());
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO attempts (notification, slot, number, at, duration_ms, status, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        notification,
        slot,
        attempt.number,
        attempt.at.as_millis(),
        attempt.duration_ms,
        attempt.status,
        error
    ])?;
    Ok(())
}

/// Writes an attempt beside the schedule: the slots below zero are for these.
pub(crate) fn record_resend(
    connection: &Connection,
    call: CallId,
    sequence: u64,
    attempt: &Attempt,
) -> Result<u32, Failure> {
    let known = first(
        connection,
        "SELECT key, (SELECT COALESCE(MAX(number), 0) FROM attempts WHERE notification = key AND slot < 0)
         FROM notifications WHERE call = (SELECT key FROM calls WHERE id = ?1) AND sequence = ?2",
        params![call.guid().as_bytes(), signed(sequence)?],
        |row| Ok((row.get::<_, i64>(0)?, unsigned::<u32>("attempt", row.get(1)?)?)),
    )?;
    let (key, last) = known.ok_or(Failure::invalid("an attempt of a notification that is not kept"))?;
    let number = last.saturating_add(1);
    let kept = i64::try_from(MAX_RESENDS_KEPT).unwrap_or(i64::MAX);
    insert_attempt(connection, (key, -1 - i64::from(number) % kept), &Attempt { number, ..attempt.clone() })?;
    Ok(number)
}

pub(crate) fn redirect_callback(
    connection: &Connection,
    call: CallId,
    CallbackRedirect { from, to }: &CallbackRedirect,
) -> Result<(), Failure> {
    let mut statement = connection
        .prepare_cached("UPDATE calls SET callback_redirected = ?2, callback_redirect = ?3 WHERE id = ?1")?;
    match statement.execute(params![call.guid().as_bytes(), from, to])? {
        0 => Err(Failure::invalid("a redirect of a call that is not kept")),
        _ => Ok(()),
    }
}

pub(crate) fn callback_redirect(
    connection: &Connection,
    call: CallId,
) -> Result<Option<CallbackRedirect>, Failure> {
    // The previous release, which may still run, does not say where from.
    first(
        connection,
        "SELECT callback_redirected, callback_redirect FROM calls
         WHERE id = ?1 AND callback_redirected IS NOT NULL AND callback_redirect IS NOT NULL",
        [call.guid().as_bytes()],
        |row| Ok(CallbackRedirect { from: row.get(0)?, to: row.get(1)? }),
    )
}

pub(crate) fn notifications_of(
    connection: &Connection,
    call: CallId,
    after_sequence: u64,
    max: usize,
) -> Result<Vec<Delivery>, Failure> {
    rows(
        connection,
        "SELECT key, state, document FROM notifications
         WHERE call = (SELECT key FROM calls WHERE id = ?1) AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        params![call.guid().as_bytes(), signed(after_sequence)?, limit(max)],
        |row| read_delivery(connection, row),
    )
}

pub(crate) fn recent_notifications(
    connection: &Connection,
    app: &AppId,
    max: usize,
) -> Result<Vec<Delivery>, Failure> {
    rows(
        connection,
        "SELECT key, state, document FROM notifications WHERE app = ?1 ORDER BY key DESC LIMIT ?2",
        params![app.as_str(), limit(max)],
        |row| read_delivery(connection, row),
    )
}

fn read_delivery(connection: &Connection, row: &Row<'_>) -> Result<Delivery, Failure> {
    let key: i64 = row.get("key")?;
    let attempts = rows(
        connection,
        "SELECT number, at, duration_ms, status, error FROM attempts WHERE notification = ?1 AND slot >= 0
         ORDER BY number",
        [key],
        read_attempt,
    )?;
    let resends = rows(
        connection,
        "SELECT number, at, duration_ms, status, error FROM attempts WHERE notification = ?1 AND slot < 0
         ORDER BY number",
        [key],
        read_attempt,
    )?;
    Ok(Delivery { notification: read_notification(row)?, state: read_state(row)?, attempts, resends })
}

fn read_attempt(row: &Row<'_>) -> Result<Attempt, Failure> {
    let status: Option<i64> = row.get("status")?;
    Ok(Attempt {
        number: unsigned("attempt", row.get("number")?)?,
        at: Timestamp::from_millis(row.get("at")?),
        duration_ms: unsigned("attempt", row.get("duration_ms")?)?,
        status: status.map(|status| unsigned("attempt", status)).transpose()?,
        error: row.get("error")?,
    })
}

fn read_notification(row: &Row<'_>) -> Result<Notification, Failure> {
    let text = row.get_ref("document")?.as_str().map_err(|error| corrupt("notification", error))?;
    document::read("notification", text)
}

const fn state_number(state: NotificationState) -> i64 {
    match state {
        NotificationState::Pending => 0,
        NotificationState::Delivered => 1,
        NotificationState::Abandoned => 2,
    }
}

/// Reads the state of a notification from its column.
fn read_state(row: &Row<'_>) -> Result<NotificationState, Failure> {
    match row.get::<_, i64>("state")? {
        0 => Ok(NotificationState::Pending),
        1 => Ok(NotificationState::Delivered),
        2 => Ok(NotificationState::Abandoned),
        _ => Err(corrupt("notification", "its state is not known")),
    }
}
