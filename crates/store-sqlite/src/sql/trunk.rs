use std::time::Duration;

use model::{AppId, TrunkUsage};
use rusqlite::{Connection, Row, params};

use super::{rows, signed, unsigned};
use crate::error::Failure;

pub(crate) fn trunk_usage(connection: &Connection, day: i64) -> Result<Vec<TrunkUsage>, Failure> {
    rows(
        connection,
        "SELECT app, day, calls, connected_ms FROM trunk_usage WHERE day = ?1 ORDER BY app",
        [day],
        read_usage,
    )
}

pub(crate) fn keep_trunk_usage(connection: &Connection, usage: &TrunkUsage) -> Result<(), Failure> {
    let mut former = connection.prepare_cached("DELETE FROM trunk_usage WHERE day < ?1")?;
    former.execute([usage.day])?;
    let connected_ms = signed(u64::try_from(usage.connected.as_millis()).unwrap_or(u64::MAX))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO trunk_usage (day, app, calls, connected_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (day, app) DO UPDATE SET
             calls = max(calls, excluded.calls),
             connected_ms = max(connected_ms, excluded.connected_ms)",
    )?;
    statement.execute(params![usage.day, usage.app.as_str(), usage.calls, connected_ms])?;
    Ok(())
}

fn read_usage(row: &Row<'_>) -> Result<TrunkUsage, Failure> {
    let app: String = row.get("app")?;
    let connected_ms = unsigned("time of a day", row.get("connected_ms")?)?;
    Ok(TrunkUsage {
        app: AppId::from(app.as_str()),
        day: row.get("day")?,
        calls: unsigned("calls of a day", row.get("calls")?)?,
        connected: Duration::from_millis(connected_ms),
    })
}
