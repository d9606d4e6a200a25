//! The store on SQLite: one file, one writer, several readers.
//!
//! - One thread writes. It takes all that is queued, carries it out in one transaction and answers everyone after one
//!   `fsync`: that cost is what limits a durable store, and sharing it is what lets a thousand calls a second be kept.
//! - A few threads read, each with a connection of its own; write-ahead logging lets them read while the writer writes.
//! - Another process may open the same file: `directory apply` does, and a running server sees the new version.
//! - All SQL is in the module `sql` and in the folder `migrations`.

mod document;
mod error;
mod options;
mod queue;
mod readers;
mod schema;
mod sql;
mod store;
mod writer;

pub use error::OpenError;
pub use options::Options;
pub use store::SqliteStore;
