//! What is kept, and the promises that come with keeping it.
//!
//! This crate is a port: traits, the values that pass through them, and (behind the feature `contract-tests`) the tests
//! that say what the traits mean. It holds no SQL and opens no file. The application holds an `Arc<dyn Store>`; only
//! the program's root knows which back end is behind it.
//!
//! - [`CallStore`] keeps calls, their operations and recordings. [`CallStore::commit`] is the one way to change them,
//!   and what it promises, a `201` or a notification, may be told to others once it resolves.
//! - [`Outbox`] is the other end of the same transactions: the notifications that are owed, in order for each call.
//! - [`KeyStore`] keeps the keys that sign tokens and notifications.
//! - [`DirectoryStore`] keeps who is known, and tells cheaply when that has changed.
//! - [`MeetingStore`] keeps meetings, which exist apart from the calls that are in them.
//! - [`TrunkUsageStore`] keeps what applications have used of trunks today.
//!
//! # Adding a back end
//!
//! Implement the six traits and [`Store`], then call `contract_tests!` in a test of the new crate. A request is queued
//! when its method is called, not when its future is first polled, so that requests take effect in the order in which
//! one task makes them; dropping a future does not undo its request. Every queue is bounded, and a full one answers
//! [`StoreError::Busy`] at once.

#[cfg(feature = "contract-tests")]
pub mod contract;
mod directory;
mod error;
mod keys;
mod limits;
mod meeting;
mod outbox;
mod recording;
mod transaction;
mod trunk;

use std::pin::Pin;

use model::{Call, CallId, Operation, OperationId, RecordingId, Timestamp};

pub use directory::{DirectoryChange, DirectorySnapshot, DirectoryStore};
pub use error::StoreError;
pub use keys::{KeyPurpose, KeyStore, SigningKey};
pub use limits::{
    MAX_ATTEMPTS_KEPT, MAX_DIRECTORY_CHANGES, MAX_DOCUMENT_BYTES, MAX_PURGED_CALLS, MAX_PURGED_MEETINGS,
    MAX_READ_ROWS, MAX_RESENDS_KEPT, MAX_TRANSACTION_ROWS,
};
pub use meeting::{MeetingCreation, MeetingKey, MeetingQuota, MeetingStore, Month};
pub use outbox::{CallbackRedirect, Delivery, DeliveryRecord, Outbox};
pub use recording::Recording;
pub use transaction::{EndedCall, LiveCall, Transaction};
pub use trunk::TrunkUsageStore;

/// A future that can be kept in a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a store answers, later.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Everything that is kept.
pub trait Store: CallStore + Outbox + KeyStore + DirectoryStore + MeetingStore + TrunkUsageStore {
    /// Deletes calls that ended before `before`, with their operations, notifications and attempts.
    ///
    /// Leaves a call that has a notification still owed, or a recording that was not yet forgotten. Deletes at most
    /// [`MAX_PURGED_CALLS`] and resolves to their number: call again while it is that many.
    fn purge(&self, before: Timestamp) -> Reply<'_, usize>;

    /// Carries out what is queued, lets go of everything held, and refuses what comes later with
    /// [`StoreError::Closed`]. A second call does nothing.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Calls, operations and recordings.
pub trait CallStore: Send + Sync {
    /// Carries out a transaction: all of it or nothing.
    ///
    /// `Ok` means durable: it outlives the process and the machine's power.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] where the transaction names a call that is not kept, repeats a notification's sequence,
    /// or is larger than the limits; nothing has changed then. After [`StoreError::Failed`] nothing has changed either,
    /// as far as the back end can tell.
    fn commit(&self, transaction: Transaction) -> Reply<'_, ()>;

    /// The calls that are not [`model::CallState::Terminated`], oldest first, from the one behind `after`.
    ///
    /// `limit` is held to [`MAX_READ_ROWS`]. `after` is a call of the previous answer, ended since or not.
    fn live_calls(&self, after: Option<CallId>, limit: usize) -> Reply<'_, Vec<LiveCall>>;

    /// Calls that are over, by when they were last written, the latest first, from the one behind `after`.
    ///
    /// `limit` is held to [`MAX_READ_ROWS`]. `after` is a call of the previous answer; where it is not kept any more, that is
    /// [`StoreError::Invalid`].
    fn ended_calls(&self, after: Option<CallId>, limit: usize) -> Reply<'_, Vec<EndedCall>>;

    /// A call.
    fn call(&self, id: CallId) -> Reply<'_, Option<Call>>;

    /// An operation of a call.
    fn operation(&self, call: CallId, id: OperationId) -> Reply<'_, Option<Operation>>;

    /// The operations of a call in the order in which they came to be, at most [`MAX_READ_ROWS`].
    fn operations(&self, call: CallId) -> Reply<'_, Vec<Operation>>;

    /// A recording.
    fn recording(&self, id: RecordingId) -> Reply<'_, Option<Recording>>;

    /// Recordings whose time is over at `now`, at most [`MAX_READ_ROWS`], the oldest first.
    fn expired_recordings(&self, now: Timestamp) -> Reply<'_, Vec<Recording>>;

    /// Forgets recordings, at most [`MAX_TRANSACTION_ROWS`]. Delete their files first: the row is what finds the file.
    fn forget_recordings(&self, ids: Vec<RecordingId>) -> Reply<'_, ()>;
}
