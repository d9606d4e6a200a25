use std::sync::Arc;

use model::{Call, CallId, Notification, Operation, Timestamp};

use crate::{MAX_TRANSACTION_ROWS, Recording, StoreError};

/// Changes that take effect together.
///
/// Values are kept whole: a call or an operation of the same id is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// When the changes happened. A call's last one says how old it is when calls are purged.
    pub at: Timestamp,
    /// A call that is new or has changed. It is written before the rest, which may belong to it.
    pub call: Option<Arc<Call>>,
    /// Operations that are new or have changed, each with its call.
    pub operations: Vec<(CallId, Operation)>,
    /// What is owed from here on. A call's sequence is used once.
    pub notifications: Vec<Notification>,
    /// Recordings that can be fetched from here on.
    pub recordings: Vec<Recording>,
}

impl Transaction {
    /// An empty transaction of that moment.
    pub fn at(at: Timestamp) -> Self {
        Self { at, ..Self::default() }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.call.is_none()
            && self.operations.is_empty()
            && self.notifications.is_empty()
            && self.recordings.is_empty()
    }

    /// Checks the number of rows of each kind; back ends call it before they queue.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] where there are more than [`MAX_TRANSACTION_ROWS`] of one kind.
    pub fn validate(&self) -> Result<(), StoreError> {
        let longest = self.operations.len().max(self.notifications.len()).max(self.recordings.len());
        if longest > MAX_TRANSACTION_ROWS {
            return Err(StoreError::Invalid("a transaction with too many rows"));
        }
        Ok(())
    }
}

/// A call that was not over when it was last written, with what it takes to end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCall {
    /// The call.
    pub call: Call,
    /// Its operations that are not over, in the order in which they came to be.
    pub operations: Vec<Operation>,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// The call.
    pub call: Call,
    /// When it was last written: its end.
    pub ended_at: Timestamp,
}
