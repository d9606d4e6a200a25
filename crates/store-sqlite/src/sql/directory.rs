use rusqlite::{Connection, params};
use serde::Serialize;
use store::{DirectoryChange, DirectorySnapshot, StoreError};

use super::{first, rows, signed, unsigned};
use crate::document;
use crate::error::{Failure, corrupt};

const TENANT: &str = "tenant";
const APPLICATION: &str = "application";
const USER: &str = "user";
const INSTANCE: &str = "instance";

/// Reads the directory and its version as of one moment.
pub(crate) fn directory(connection: &Connection) -> Result<DirectorySnapshot, Failure> {
    let moment = connection.unchecked_transaction()?;
    let mut snapshot = DirectorySnapshot { version: directory_version(&moment)?, ..Default::default() };
    let entries = rows(&moment, "SELECT kind, id, document FROM directory", [], |row| {
        Ok((row.get::<_, String>("kind")?, row.get::<_, String>("id")?, row.get::<_, String>("document")?))
    })?;
    let directory = &mut snapshot.directory;
    for (kind, id, text) in entries {
        match kind.as_str() {
            TENANT => drop(directory.tenants.insert(id.as_str().into(), document::read(TENANT, &text)?)),
            APPLICATION => {
                drop(directory.applications.insert(id.as_str().into(), document::read(APPLICATION, &text)?));
            }
            USER => drop(directory.users.insert(id.as_str().into(), document::read(USER, &text)?)),
            INSTANCE => drop(directory.instances.insert(id, document::read(INSTANCE, &text)?)),
            _ => return Err(corrupt("directory entry", "its kind is not known")),
        }
    }
    moment.commit()?;
    Ok(snapshot)
}

pub(crate) fn directory_version(connection: &Connection) -> Result<u64, Failure> {
    let version = first(connection, "SELECT version FROM directory_version", [], |row| {
        unsigned("directory version", row.get(0)?)
    })?;
    version.ok_or_else(|| corrupt("directory version", "there is none"))
}

pub(crate) fn apply_directory(
    connection: &Connection,
    based_on: u64,
    changes: &[DirectoryChange],
) -> Result<u64, Failure> {
    let found = directory_version(connection)?;
    if found != based_on {
        return Err(Failure::Request(StoreError::Conflict { expected: based_on, found }));
    }
    if changes.is_empty() {
        return Ok(found);
    }
    for change in changes {
        apply(connection, change)?;
    }
    let version = found.saturating_add(1);
    connection.prepare_cached("UPDATE directory_version SET version = ?1")?.execute([signed(version)?])?;
    Ok(version)
}

fn apply(connection: &Connection, change: &DirectoryChange) -> Result<(), Failure> {
    match change {
        DirectoryChange::PutApplication(application) => {
            put(connection, APPLICATION, application.id.as_str(), application)
        }
        DirectoryChange::PutInstance(instance) => put(connection, INSTANCE, &instance.id, instance),
        DirectoryChange::PutTenant(tenant) => put(connection, TENANT, tenant.id.as_str(), tenant),
        DirectoryChange::PutUser(user) => put(connection, USER, user.id.as_str(), user),
        DirectoryChange::RemoveApplication(id) => remove(connection, APPLICATION, id.as_str()),
        DirectoryChange::RemoveInstance(id) => remove(connection, INSTANCE, id),
        DirectoryChange::RemoveTenant(id) => remove(connection, TENANT, id.as_str()),
        DirectoryChange::RemoveUser(id) => remove(connection, USER, id.as_str()),
    }
}

fn put(connection: &Connection, kind: &str, id: &str, value: &impl Serialize) -> Result<(), Failure> {
    let text = document::write(value).map_err(Failure::Request)?;
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO directory (kind, id, document) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![kind, id, text])?;
    Ok(())
}

fn remove(connection: &Connection, kind: &str, id: &str) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached("DELETE FROM directory WHERE kind = ?1 AND id = ?2")?;
    statement.execute([kind, id])?;
    Ok(())
}
