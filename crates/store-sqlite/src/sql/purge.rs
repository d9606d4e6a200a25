use model::Timestamp;
use rusqlite::{Connection, params};
use store::MAX_PURGED_CALLS;

use super::limit;
use crate::error::Failure;

/// Deletes ended calls that nothing is owed of and that no recording belongs to; their rows go with them.
pub(crate) fn purge(connection: &Connection, before: Timestamp) -> Result<usize, Failure> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM calls WHERE key IN (
             SELECT key FROM calls WHERE is_live = 0 AND changed_at < ?1
             AND NOT EXISTS (SELECT 1 FROM notifications WHERE call = calls.key AND state = 0)
             AND NOT EXISTS (SELECT 1 FROM recordings WHERE call = calls.key)
             ORDER BY changed_at LIMIT ?2)",
    )?;
    Ok(statement.execute(params![before.as_millis(), limit(MAX_PURGED_CALLS)])?)
}
