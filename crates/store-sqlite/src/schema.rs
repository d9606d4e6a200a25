use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::sql;

/// The migrations in order; the schema's version is how many of them were carried out.
///
/// A release only adds to the end: it may find a file of any earlier one, and another process of the previous release
/// may still have the file open. So a migration adds, and a later release removes.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_meetings.sql"),
    include_str!("../migrations/0003_redirects.sql"),
    include_str!("../migrations/0004_trunk_usage.sql"),
];

/// Marks our files ("HkSw"), so that another program's database is never migrated.
const APPLICATION_ID: i32 = 0x486b_5377;

/// How long a process waits for another that writes: `directory apply` writes once, within milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes this process the one server of the file for as long as it keeps what is returned.
pub(crate) fn claim(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.with_added_extension("lock");
    let failed = |source| OpenError::File { path: lock_path.clone(), source };
    prepare_file(&lock_path).map_err(failed)?;
    let lock = File::open(&lock_path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens the file to write, makes it private, and brings its schema up to date.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    prepare_file(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    refuse_foreign(&connection, path)?;
    sql::set_up_writer(&connection).map_err(failed)?;
    migrate(&mut connection, path, &MIGRATIONS)?;
    Ok(connection)
}

/// Opens the file to read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    // Not read-only: the first to come after a crash has to be able to recover the write-ahead log.
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    sql::set_up_reader(&connection).map_err(failed)?;
    Ok(connection)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(sql::STATEMENTS);
    Ok(connection)
}

/// Makes the folder (0700) and the file (0600) where they are missing. SQLite gives its other files the same mode.
fn prepare_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // An existing file is not opened: closing it again would drop the locks that SQLite holds elsewhere in this process.
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::metadata(path)?.permissions().mode() & 0o077 {
                0 => Ok(()),
                _ => fs::set_permissions(path, Permissions::from_mode(0o600)),
            }
        }
        Err(error) => Err(error),
    }
}

fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let (mark, tables) = sql::application_id(connection).map_err(failed)?;
    match mark {
        APPLICATION_ID => Ok(()),
        0 if tables == 0 => Ok(()),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    let found = sql::schema_version(&transaction).map_err(failed)?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    for (number, migration) in (1..).zip(migrations).skip_while(|(number, _)| *number <= found) {
        transaction.execute_batch(migration).map_err(failed)?;
        sql::add_schema_version(&transaction, number).map_err(failed)?;
        tracing::info!(schema.version = number, "migrated the database to schema {number}");
    }
    sql::set_application_id(&transaction, APPLICATION_ID).map_err(failed)?;
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::{Connection, params};
    use store::CallbackRedirect;
    use store::contract::Samples;

    use super::{MIGRATIONS, migrate, refuse_foreign};
    use crate::error::OpenError;
    use crate::sql;

    #[test]
    fn migrations_are_carried_out_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x"), &MIGRATIONS).unwrap();
        migrate(&mut connection, Path::new("x"), &MIGRATIONS).unwrap();
        assert_eq!(sql::schema_version(&connection).unwrap(), 4);
    }

    #[test]
    fn a_file_of_an_earlier_release_gets_only_what_is_missing() {
        let mut connection = Connection::open_in_memory().unwrap();
        let [first, ..] = MIGRATIONS;
        migrate(&mut connection, Path::new("x"), &[first]).unwrap();
        let later = [first, "CREATE TABLE later (a INTEGER)"];
        migrate(&mut connection, Path::new("x"), &later).unwrap();
        assert_eq!(sql::schema_version(&connection).unwrap(), 2);
    }

    #[test]
    fn a_file_of_a_later_release_is_refused_with_both_versions() {
        let mut connection = Connection::open_in_memory().unwrap();
        let [first, second, third, fourth] = MIGRATIONS;
        let later = [first, second, third, fourth, "CREATE TABLE later (a INTEGER)"];
        migrate(&mut connection, Path::new("x"), &later).unwrap();
        let error = migrate(&mut connection, Path::new("x"), &MIGRATIONS).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 5, known: 4, .. }), "{error}");
    }

    #[test]
    fn calls_of_the_first_schema_are_read_as_calls_between_two() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x"), &MIGRATIONS[..1]).unwrap();
        let mut samples = Samples::new(1);
        let call = samples.call(10);
        let notification = samples.notification(&call, 1);
        let as_it_was = |value: serde_json::Value, call: &str| {
            let mut value = value;
            let members = value.pointer_mut(call).unwrap().as_object_mut().unwrap();
            members.remove("kind");
            members.insert("callee".to_owned(), "user".into());
            value.to_string()
        };
        let (kept, told) =
            (serde_json::to_value(&call).unwrap(), serde_json::to_value(&notification).unwrap());
        connection
            .execute(
                "INSERT INTO calls (key, id, is_live, changed_at, document) VALUES (1, ?1, 1, 0, ?2)",
                params![call.id.guid().as_bytes(), as_it_was(kept, "")],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO notifications (call, sequence, state, app, document) VALUES (1, 1, 0, 'app', ?1)",
                [as_it_was(told, "/body/Call")],
            )
            .unwrap();

        migrate(&mut connection, Path::new("x"), &MIGRATIONS).unwrap();

        assert_eq!(sql::call(&connection, call.id).unwrap(), Some(call));
        assert_eq!(sql::owed(&connection, 10, None).unwrap(), [notification]);
    }

    #[test]
    fn redirects_of_earlier_releases_are_those_of_the_place_that_their_call_has() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x"), &MIGRATIONS[..2]).unwrap();
        let call = Samples::new(1).call(10);
        let to = "https://other.example/".to_owned();
        connection
            .execute(
                "INSERT INTO calls (key, id, is_live, changed_at, callback_redirect, document)
                 VALUES (1, ?1, 1, 0, ?2, ?3)",
                params![call.id.guid().as_bytes(), to, serde_json::to_string(&call).unwrap()],
            )
            .unwrap();

        migrate(&mut connection, Path::new("x"), &MIGRATIONS).unwrap();

        let redirect = CallbackRedirect { from: call.callback_uri, to };
        assert_eq!(sql::callback_redirect(&connection, call.id).unwrap(), Some(redirect));
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = [MIGRATIONS[0], "CREATE TABLE later (a INTEGER); nonsense"];
        assert!(migrate(&mut connection, Path::new("x"), &broken).is_err());
        assert_eq!(sql::schema_version(&connection).unwrap(), 0);
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a INTEGER)").unwrap();
        let error = refuse_foreign(&connection, Path::new("x")).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }));
    }
}
