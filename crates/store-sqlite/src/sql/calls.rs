use model::{Call, CallId, CallState, Notification, Operation, OperationId, RecordingId, Timestamp};
use rusqlite::{Connection, Row, params};
use store::{EndedCall, LiveCall, MAX_READ_ROWS, Recording, StoreError, Transaction};

use super::outbox::insert_notification;
use super::{call_key, first, guid, limit, rows};
use crate::document;
use crate::error::{Failure, corrupt};

/// A transaction whose values are already text: that is work for the caller's thread, not for the one writer.
pub(crate) struct Prepared {
    at: Timestamp,
    call: Option<PreparedCall>,
    operations: Vec<PreparedOperation>,
    notifications: Vec<(Notification, String)>,
    recordings: Vec<Recording>,
}

struct PreparedCall {
    id: CallId,
    is_live: bool,
    document: String,
}

struct PreparedOperation {
    call: CallId,
    id: OperationId,
    is_over: bool,
    document: String,
}

impl Prepared {
    pub(crate) fn new(transaction: Transaction) -> Result<Self, StoreError> {
        transaction.validate()?;
        let Transaction { at, call, operations, notifications, recordings } = transaction;
        let call = call.map(|call| {
            let is_live = call.state != CallState::Terminated;
            Ok(PreparedCall { id: call.id, is_live, document: document::write(&call)? })
        });
        let operations = operations.into_iter().map(|(call, operation)| {
            let is_over = operation.status.is_final();
            Ok(PreparedOperation { call, id: operation.id, is_over, document: document::write(&operation)? })
        });
        let notifications = notifications.into_iter().map(|notification| {
            let text = document::write(&notification)?;
            Ok((notification, text))
        });
        Ok(Self {
            at,
            call: call.transpose()?,
            operations: operations.collect::<Result<_, StoreError>>()?,
            notifications: notifications.collect::<Result<_, StoreError>>()?,
            recordings,
        })
    }

    /// The bytes of its documents.
    pub(crate) fn weight(&self) -> usize {
        let call = self.call.as_ref().map_or(0, |call| call.document.len());
        let operations: usize = self.operations.iter().map(|operation| operation.document.len()).sum();
        let notifications: usize = self.notifications.iter().map(|(_, document)| document.len()).sum();
        call + operations + notifications
    }
}

/// Writes all rows of a transaction.
pub(crate) fn commit(connection: &Connection, transaction: &Prepared) -> Result<(), Failure> {
    if let Some(call) = &transaction.call {
        put_call(connection, call, transaction.at)?;
    }
    for operation in &transaction.operations {
        put_operation(connection, operation)?;
    }
    for (notification, document) in &transaction.notifications {
        insert_notification(connection, notification, document)?;
    }
    for recording in &transaction.recordings {
        put_recording(connection, recording)?;
    }
    Ok(())
}

fn put_call(connection: &Connection, call: &PreparedCall, at: Timestamp) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO calls (id, is_live, changed_at, document) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE
         SET is_live = excluded.is_live, changed_at = excluded.changed_at, document = excluded.document",
    )?;
    statement.execute(params![call.id.guid().as_bytes(), call.is_live, at.as_millis(), call.document])?;
    Ok(())
}

fn put_operation(connection: &Connection, operation: &PreparedOperation) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO operations (call, id, is_over, document)
         SELECT key, ?2, ?3, ?4 FROM calls WHERE id = ?1
         ON CONFLICT (call, id) DO UPDATE SET is_over = excluded.is_over, document = excluded.document",
    )?;
    let written = statement.execute(params![
        operation.call.guid().as_bytes(),
        operation.id.guid().as_bytes(),
        operation.is_over,
        operation.document
    ])?;
    if written == 0 { Err(Failure::invalid("an operation of a call that is not kept")) } else { Ok(()) }
}

fn put_recording(connection: &Connection, recording: &Recording) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO recordings (id, call, operation, path, token_sha256, created_at, expires_at)
         SELECT ?2, key, ?3, ?4, ?5, ?6, ?7 FROM calls WHERE id = ?1",
    )?;
    let written = statement.execute(params![
        recording.call.guid().as_bytes(),
        recording.id.guid().as_bytes(),
        recording.operation.guid().as_bytes(),
        recording.path,
        recording.token_sha256,
        recording.created_at.as_millis(),
        recording.expires_at.as_millis()
    ])?;
    if written == 0 { Err(Failure::invalid("a recording of a call that is not kept")) } else { Ok(()) }
}

pub(crate) fn live_calls(
    connection: &Connection,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<LiveCall>, Failure> {
    let after = match after {
        Some(id) => {
            call_key(connection, id)?.ok_or(Failure::invalid("a call to go on from that is not kept"))?
        }
        None => 0,
    };
    let calls = rows(
        connection,
        "SELECT key, document FROM calls WHERE is_live = 1 AND key > ?1 ORDER BY key LIMIT ?2",
        params![after, limit(max)],
        |row| Ok((row.get::<_, i64>("key")?, read_call(row)?)),
    )?;
    let with_operations = |(key, call): (i64, Call)| {
        let operations = rows(
            connection,
            "SELECT document FROM operations WHERE call = ?1 AND is_over = 0 ORDER BY key LIMIT ?2",
            params![key, limit(MAX_READ_ROWS)],
            read_operation,
        )?;
        Ok(LiveCall { call, operations })
    };
    calls.into_iter().map(with_operations).collect()
}

pub(crate) fn ended_calls(
    connection: &Connection,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<EndedCall>, Failure> {
    let (changed_at, key) = match after {
        Some(id) => first(
            connection,
            "SELECT changed_at, key FROM calls WHERE id = ?1",
            [id.guid().as_bytes()],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?
        .ok_or(Failure::invalid("a call to go on from that is not kept"))?,
        None => (i64::MAX, i64::MAX),
    };
    rows(
        connection,
        "SELECT changed_at, document FROM calls WHERE is_live = 0 AND (changed_at, key) < (?1, ?2)
         ORDER BY changed_at DESC, key DESC LIMIT ?3",
        params![changed_at, key, limit(max)],
        |row| {
            let ended_at = Timestamp::from_millis(row.get("changed_at")?);
            Ok(EndedCall { call: read_call(row)?, ended_at })
        },
    )
}

pub(crate) fn call(connection: &Connection, id: CallId) -> Result<Option<Call>, Failure> {
    first(connection, "SELECT document FROM calls WHERE id = ?1", [id.guid().as_bytes()], read_call)
}

pub(crate) fn operation(
    connection: &Connection,
    call: CallId,
    id: OperationId,
) -> Result<Option<Operation>, Failure> {
    first(
        connection,
        "SELECT document FROM operations WHERE call = (SELECT key FROM calls WHERE id = ?1) AND id = ?2",
        [call.guid().as_bytes(), id.guid().as_bytes()],
        read_operation,
    )
}

pub(crate) fn operations(connection: &Connection, call: CallId) -> Result<Vec<Operation>, Failure> {
    rows(
        connection,
        "SELECT document FROM operations WHERE call = (SELECT key FROM calls WHERE id = ?1) ORDER BY key LIMIT ?2",
        params![call.guid().as_bytes(), limit(MAX_READ_ROWS)],
        read_operation,
    )
}

pub(crate) fn recording(connection: &Connection, id: RecordingId) -> Result<Option<Recording>, Failure> {
    first(
        connection,
        "SELECT recordings.*, calls.id AS call_id FROM recordings JOIN calls ON calls.key = recordings.call
         WHERE recordings.id = ?1",
        [id.guid().as_bytes()],
        read_recording,
    )
}

pub(crate) fn expired_recordings(connection: &Connection, now: Timestamp) -> Result<Vec<Recording>, Failure> {
    rows(
        connection,
        "SELECT recordings.*, calls.id AS call_id FROM recordings JOIN calls ON calls.key = recordings.call
         WHERE recordings.expires_at <= ?1 ORDER BY recordings.expires_at LIMIT ?2",
        params![now.as_millis(), limit(MAX_READ_ROWS)],
        read_recording,
    )
}

pub(crate) fn forget_recordings(connection: &Connection, ids: &[RecordingId]) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached("DELETE FROM recordings WHERE id = ?1")?;
    for id in ids {
        statement.execute([id.guid().as_bytes()])?;
    }
    Ok(())
}

fn read_call(row: &Row<'_>) -> Result<Call, Failure> {
    document::read("call", row.get_ref("document")?.as_str().map_err(|error| corrupt("call", error))?)
}

fn read_operation(row: &Row<'_>) -> Result<Operation, Failure> {
    document::read(
        "operation",
        row.get_ref("document")?.as_str().map_err(|error| corrupt("operation", error))?,
    )
}

fn read_recording(row: &Row<'_>) -> Result<Recording, Failure> {
    Ok(Recording {
        id: guid(row, "id")?,
        call: guid(row, "call_id")?,
        operation: guid(row, "operation")?,
        path: row.get("path")?,
        token_sha256: row.get("token_sha256")?,
        created_at: Timestamp::from_millis(row.get("created_at")?),
        expires_at: Timestamp::from_millis(row.get("expires_at")?),
    })
}
