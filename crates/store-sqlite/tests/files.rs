//! The database file: who may read it, and what happens when it cannot be used or is overrun.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::Folder;
use store::contract::{Samples, block_on};
use store::{CallStore, DirectoryStore, StoreError};
use store_sqlite::{OpenError, Options, SqliteStore};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_what_is_kept() {
    let folder = Folder::new();
    let file = folder.database();
    let store = SqliteStore::open(&file, Options::default()).unwrap();
    block_on(store.commit(Samples::new(1).new_call(1).1)).unwrap();
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&file.with_extension("db-wal")), 0o600);
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them() {
    let folder = Folder::new();
    let file = folder.database();
    drop(SqliteStore::open(&file, Options::default()).unwrap());
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    drop(SqliteStore::open(&file, Options::default()).unwrap());
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_file_that_is_no_database_is_an_error_that_names_it() {
    let folder = Folder::new();
    let file = folder.database();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "something else, much longer than a header of a database ".repeat(20)).unwrap();
    let error = SqliteStore::open(&file, Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Sqlite { .. }));
    assert!(error.to_string().contains("hookswitch.db"), "{error}");
}

#[test]
fn a_full_queue_answers_busy_at_once() {
    let folder = Folder::new();
    let options = Options { queued_requests: 0, ..Options::default() };
    let store = SqliteStore::open(&folder.database(), options).unwrap();
    assert!(matches!(block_on(store.commit(Samples::new(1).new_call(1).1)), Err(StoreError::Busy)));
    assert!(matches!(block_on(store.directory_version()), Err(StoreError::Busy)));
}

#[test]
fn dropping_a_store_carries_out_what_was_queued() {
    let folder = Folder::new();
    let mut samples = Samples::new(1);
    let store = SqliteStore::open(&folder.database(), Options::default()).unwrap();
    let ids: Vec<_> = (0..50)
        .map(|_| {
            let (call, transaction) = samples.new_call(1);
            drop(store.commit(transaction));
            call.id
        })
        .collect();
    drop(store);
    assert!(!folder.database().with_extension("db-wal").exists(), "the log was tidied up");
    let again = SqliteStore::open(&folder.database(), Options::default()).unwrap();
    for id in ids {
        assert!(block_on(again.call(id)).unwrap().is_some());
    }
}

#[test]
fn a_second_server_of_a_file_is_refused_and_a_command_is_not() {
    let folder = Folder::new();
    let server = Options { is_server: true, ..Options::default() };
    let first = SqliteStore::open(&folder.database(), server).unwrap();
    let error = SqliteStore::open(&folder.database(), server).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let command = SqliteStore::open(&folder.database(), Options::default()).unwrap();
    assert_eq!(block_on(command.directory_version()).unwrap(), 0);
    drop(first);
    assert!(SqliteStore::open(&folder.database(), server).is_ok());
}
