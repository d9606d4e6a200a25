use model::{MeetingId, TenantId};
use rusqlite::{Connection, params};
use serde::Serialize;
use store::{DirectoryChange, DirectorySnapshot, StoreError};

use super::meetings::{PreparedMeeting, replace_meetings};
use super::{first, rows, signed, unsigned};
use crate::document;
use crate::error::{Failure, corrupt};

const TENANT: &str = "tenant";
const APPLICATION: &str = "application";
const USER: &str = "user";
const INSTANCE: &str = "instance";
const TRUNK: &str = "trunk";

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
            TRUNK => drop(directory.trunks.insert(id.as_str().into(), document::read(TRUNK, &text)?)),
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

/// Changes to the directory, those of meetings apart.
#[derive(Default)]
pub(crate) struct PreparedChanges {
    entries: Vec<Entry>,
    put_meetings: Vec<PreparedMeeting>,
    removed_meetings: Vec<(TenantId, MeetingId)>,
}

/// What becomes of one entry: its new text, or none.
struct Entry {
    kind: &'static str,
    id: String,
    document: Option<String>,
}

impl PreparedChanges {
    pub(crate) fn new(changes: Vec<DirectoryChange>) -> Result<Self, StoreError> {
        let mut prepared = Self::default();
        for change in changes {
            prepared.add(change)?;
        }
        Ok(prepared)
    }

    fn add(&mut self, change: DirectoryChange) -> Result<(), StoreError> {
        match change {
            DirectoryChange::PutApplication(application) => {
                self.put(APPLICATION, application.id.as_str(), &application)
            }
            DirectoryChange::PutInstance(instance) => self.put(INSTANCE, &instance.id, &instance),
            DirectoryChange::PutMeeting(meeting) => {
                self.put_meetings.push(PreparedMeeting::new(*meeting)?);
                Ok(())
            }
            DirectoryChange::PutTenant(tenant) => self.put(TENANT, tenant.id.as_str(), &tenant),
            DirectoryChange::PutTrunk(trunk) => self.put(TRUNK, trunk.id.as_str(), &trunk),
            DirectoryChange::PutUser(user) => self.put(USER, user.id.as_str(), &user),
            DirectoryChange::RemoveApplication(id) => self.remove(APPLICATION, id.as_str()),
            DirectoryChange::RemoveInstance(id) => self.remove(INSTANCE, &id),
            DirectoryChange::RemoveMeeting(tenant, id) => {
                self.removed_meetings.push((tenant, id));
                Ok(())
            }
            DirectoryChange::RemoveTenant(id) => self.remove(TENANT, id.as_str()),
            DirectoryChange::RemoveTrunk(id) => self.remove(TRUNK, id.as_str()),
            DirectoryChange::RemoveUser(id) => self.remove(USER, id.as_str()),
        }
    }

    fn put(&mut self, kind: &'static str, id: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let document = Some(document::write(value)?);
        self.entries.push(Entry { kind, id: id.to_owned(), document });
        Ok(())
    }

    fn remove(&mut self, kind: &'static str, id: &str) -> Result<(), StoreError> {
        self.entries.push(Entry { kind, id: id.to_owned(), document: None });
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.put_meetings.is_empty() && self.removed_meetings.is_empty()
    }
}

pub(crate) fn apply_directory(
    connection: &Connection,
    based_on: u64,
    changes: &PreparedChanges,
) -> Result<u64, Failure> {
    let found = directory_version(connection)?;
    if found != based_on {
        return Err(Failure::Request(StoreError::Conflict { expected: based_on, found }));
    }
    if changes.is_empty() {
        return Ok(found);
    }
    for entry in &changes.entries {
        write(connection, entry)?;
    }
    replace_meetings(connection, &changes.removed_meetings, &changes.put_meetings)?;
    let version = found.saturating_add(1);
    connection.prepare_cached("UPDATE directory_version SET version = ?1")?.execute([signed(version)?])?;
    Ok(version)
}

fn write(connection: &Connection, entry: &Entry) -> Result<(), Failure> {
    let Some(document) = &entry.document else {
        let mut statement = connection.prepare_cached("DELETE FROM directory WHERE kind = ?1 AND id = ?2")?;
        statement.execute([entry.kind, &entry.id])?;
        return Ok(());
    };
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO directory (kind, id, document) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![entry.kind, entry.id, document])?;
    Ok(())
}
