//! The store's contract, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod common;

use std::ops::Deref;

use common::Folder;
use store::Store;
use store_sqlite::{Options, SqliteStore};

store::contract_tests!(open_empty);

/// A store with the folder that it lives in.
struct OpenStore {
    store: SqliteStore,
    _folder: Folder,
}

impl Deref for OpenStore {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

fn open_empty() -> OpenStore {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.database(), Options::default()).unwrap();
    OpenStore { store, _folder: folder }
}
