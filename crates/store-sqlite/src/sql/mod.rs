//! All SQL, as functions of a connection.

mod calls;
mod directory;
mod keys;
mod meetings;
mod outbox;
mod purge;
mod trunk;

use model::CallId;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::error::{Failure, corrupt};

pub(crate) use calls::{
    Prepared, call, commit, ended_calls, expired_recordings, forget_recordings, live_calls, operation,
    operations, recording,
};
pub(crate) use directory::{PreparedChanges, apply_directory, directory, directory_version};
pub(crate) use keys::{put_signing_key, signing_keys};
pub(crate) use meetings::{
    PreparedMeeting, change_meeting, create_meeting, delete_meeting, meeting, meetings, meetings_from_file,
    purge_meetings,
};
pub(crate) use outbox::{
    callback_redirect, notifications_of, owed, owed_of_call, recent_notifications, record_deliveries,
    record_resend, redirect_callback,
};
pub(crate) use purge::purge;
pub(crate) use trunk::{keep_trunk_usage, trunk_usage};

/// Statements that a connection keeps prepared: more than there are here.
pub(crate) const STATEMENTS: usize = 64;

/// Sets a connection up to write.
pub(crate) fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    // 16 MiB of cache hold the pages that a commit touches. The log is cut back to 64 MiB after a checkpoint that a
    // long reader delayed.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;",
    )
}

/// Sets a connection up to read.
pub(crate) fn set_up_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA query_only = ON;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;",
    )
}

/// Whether the next transactions wait for the disk.
pub(crate) fn set_durable(connection: &Connection, is_durable: bool) -> rusqlite::Result<()> {
    let mode = if is_durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
    connection.execute_batch(mode)
}

/// Moves the log into the database, as far as readers allow.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The mark of the file, and how many tables it has.
pub(crate) fn application_id(connection: &Connection) -> rusqlite::Result<(i32, i64)> {
    let mark = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((mark, tables))
}

/// Marks the file.
pub(crate) fn set_application_id(connection: &Connection, mark: i32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", mark)
}

/// The number of the last migration, 0 for an empty file.
pub(crate) fn schema_version(connection: &Connection) -> rusqlite::Result<u32> {
    let is_there: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_versions')",
        [],
        |row| row.get(0),
    )?;
    if !is_there {
        return Ok(0);
    }
    connection.query_row("SELECT coalesce(max(version), 0) FROM schema_versions", [], |row| row.get(0))
}

/// Notes that a migration was carried out.
pub(crate) fn add_schema_version(connection: &Connection, version: u32) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER NOT NULL PRIMARY KEY) STRICT",
    )?;
    connection.execute("INSERT INTO schema_versions (version) VALUES (?1)", [version]).map(drop)
}

/// The internal key of a call.
fn call_key(connection: &Connection, id: CallId) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached("SELECT key FROM calls WHERE id = ?1")?;
    Ok(statement.query_row([id.guid().as_bytes()], |row| row.get(0)).optional()?)
}

/// All rows of a query, each read by `read`.
fn rows<T>(
    connection: &Connection,
    query: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, read by `read`.
fn first<T>(
    connection: &Connection,
    query: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// A GUID as it is kept: 16 bytes.
fn guid<T: From<uuid::Uuid>>(row: &Row<'_>, column: &str) -> Result<T, Failure> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(T::from(uuid::Uuid::from_bytes(bytes)))
}

/// A limit as SQL takes it.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows.min(store::MAX_READ_ROWS)).unwrap_or(0)
}

/// A count as SQL keeps it.
fn signed(count: u64) -> Result<i64, Failure> {
    i64::try_from(count).map_err(|_| Failure::invalid("a number that is too large to be stored"))
}

/// A count as it was kept.
fn unsigned<T: TryFrom<i64>>(what: &'static str, count: i64) -> Result<T, Failure> {
    T::try_from(count).map_err(|_| corrupt(what, "a number is out of range"))
}
