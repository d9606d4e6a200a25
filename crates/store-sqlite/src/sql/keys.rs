use model::Timestamp;
use rusqlite::{Connection, Row, params};
use store::{KeyPurpose, MAX_READ_ROWS, SigningKey};

use super::{limit, rows};
use crate::error::Failure;

pub(crate) fn signing_keys(connection: &Connection, purpose: KeyPurpose) -> Result<Vec<SigningKey>, Failure> {
    rows(
        connection,
        "SELECT id, pkcs8, created_at, retires_at, expires_at FROM signing_keys
         WHERE purpose = ?1 ORDER BY created_at DESC, id LIMIT ?2",
        params![purpose_number(purpose), limit(MAX_READ_ROWS)],
        |row| read_key(row, purpose),
    )
}

pub(crate) fn put_signing_key(connection: &Connection, key: &SigningKey) -> Result<(), Failure> {
    let purpose = purpose_number(key.purpose);
    let mut expired =
        connection.prepare_cached("DELETE FROM signing_keys WHERE purpose = ?1 AND expires_at < ?2")?;
    expired.execute(params![purpose, key.created_at.as_millis()])?;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO signing_keys (purpose, id, pkcs8, created_at, retires_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        purpose,
        key.id,
        key.pkcs8,
        key.created_at.as_millis(),
        key.retires_at.as_millis(),
        key.expires_at.as_millis()
    ])?;
    Ok(())
}

fn read_key(row: &Row<'_>, purpose: KeyPurpose) -> Result<SigningKey, Failure> {
    Ok(SigningKey {
        id: row.get("id")?,
        purpose,
        pkcs8: row.get("pkcs8")?,
        created_at: Timestamp::from_millis(row.get("created_at")?),
        retires_at: Timestamp::from_millis(row.get("retires_at")?),
        expires_at: Timestamp::from_millis(row.get("expires_at")?),
    })
}

const fn purpose_number(purpose: KeyPurpose) -> i64 {
    match purpose {
        KeyPurpose::Notifications => 0,
        KeyPurpose::Tokens => 1,
    }
}
