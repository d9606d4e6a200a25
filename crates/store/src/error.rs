use std::error::Error;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much is queued; nothing was done. Try again, or tell the caller to.
    #[error("the store has more to do than it queues")]
    Busy,
    /// The store is closed; nothing was done.
    #[error("the store is closed")]
    Closed,
    /// The directory has changed since the version that the changes were made for; nothing was done.
    #[error("the directory changed meanwhile: expected version {expected}, found {found}")]
    Conflict {
        /// The version that the changes were made for.
        expected: u64,
        /// The version that is there.
        found: u64,
    },
    /// A kept value cannot be read.
    #[error("failed to read a stored {what}")]
    Corrupt {
        /// The kind of value.
        what: &'static str,
        /// Why it cannot be read.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The back end failed, such as a full disk.
    #[error("failed to {doing}")]
    Failed {
        /// What was being done, in words that follow "failed to".
        doing: &'static str,
        /// Why it failed.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The request makes no sense here, such as an operation of a call that is not kept; nothing was done.
    #[error("the store was asked for something invalid: {0}")]
    Invalid(&'static str),
    /// Another has what should be one's own; nothing was done.
    #[error("another one has this {0}")]
    Taken(&'static str),
}
