use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;
use store::StoreError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder cannot be made or be kept private.
    #[error("failed to prepare the database file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is a database of another program.
    #[error("{} is not a Hookswitch database: choose another data directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another server has the database.
    #[error("another server uses {}: stop it, or choose another data directory", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A later release has written the file.
    #[error(
        "{} was written by a later release (schema {found}, this one knows {known}): run that release, or restore \
         a copy from before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema in the file.
        found: u32,
        /// The last schema known here.
        known: u32,
    },
    /// SQLite refused.
    #[error("failed to open the database {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A thread could not be started.
    #[error("failed to start a thread of the store")]
    Thread(#[source] io::Error),
}

/// A step of a request that failed, before it is known whether others share the failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request itself is at fault.
    Request(StoreError),
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl Failure {
    pub(crate) fn invalid(what: &'static str) -> Self {
        Self::Request(StoreError::Invalid(what))
    }

    pub(crate) fn into_store_error(self, doing: &'static str) -> StoreError {
        match self {
            Self::Request(error) => error,
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                StoreError::Invalid("a row that contradicts another")
            }
            Self::Sqlite(error) => StoreError::Failed { doing, source: Box::new(error) },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The failure of a whole transaction, for one of those who shared it.
pub(crate) fn shared(error: &Arc<rusqlite::Error>) -> StoreError {
    StoreError::Failed { doing: "write to the database", source: Box::new(Arc::clone(error)) }
}

/// A stored value that is not what was written.
pub(crate) fn corrupt(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    Failure::Request(StoreError::Corrupt { what, source: source.into() })
}
