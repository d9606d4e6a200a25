use model::{AppId, Attempt, CallId, Notification, NotificationState};

use crate::Reply;

/// The notifications that [`crate::CallStore::commit`] promised, and how their delivery goes.
///
/// A committed notification stays owed until [`Outbox::record_deliveries`] says otherwise.
pub trait Outbox: Send + Sync {
    /// What is owed, for start-up: calls oldest first, each call's notifications in sequence, from the one behind
    /// `after`, the call and sequence that ended the previous answer. `limit` is held to [`crate::MAX_READ_ROWS`].
    fn owed(&self, limit: usize, after: Option<(CallId, u64)>) -> Reply<'_, Vec<Notification>>;

    /// What is owed of one call, in sequence, behind `after_sequence` (0 for all).
    fn owed_of_call(&self, call: CallId, after_sequence: u64, limit: usize) -> Reply<'_, Vec<Notification>>;

    /// Writes down how deliveries went, at most [`crate::MAX_TRANSACTION_ROWS`] at a time.
    ///
    /// Less than durable: `Ok` outlives the process, but a power failure may lose the last of them. What is lost repeats
    /// a delivery, which receivers have to expect anyway, and never skips one. Records of what is not kept are ignored:
    /// it was purged.
    fn record_deliveries(&self, records: Vec<DeliveryRecord>) -> Reply<'_, ()>;

    /// Writes down an attempt that somebody asked for beside the schedule: it changes neither the state nor the attempts of
    /// the schedule. Resolves to its number, which counts these from 1; `attempt.number` says nothing. As durable as
    /// [`Outbox::record_deliveries`].
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Invalid`] where the notification is not kept.
    fn record_resend(&self, call: CallId, sequence: u64, attempt: Attempt) -> Reply<'_, u32>;

    /// Sends the later notifications of a call elsewhere, in the place of any earlier redirect. As durable as
    /// [`Outbox::record_deliveries`].
    fn redirect_callback(&self, call: CallId, redirect: CallbackRedirect) -> Reply<'_, ()>;

    /// Where a redirect sent the notifications of a call; `None` while they go where each says.
    fn callback_redirect(&self, call: CallId) -> Reply<'_, Option<CallbackRedirect>>;

    /// The notifications of a call, in sequence, behind `after_sequence` (0 for all), with how each went.
    fn notifications_of(&self, call: CallId, after_sequence: u64, limit: usize) -> Reply<'_, Vec<Delivery>>;

    /// The latest notifications to an application, newest first, with how each went.
    fn recent_notifications(&self, app: AppId, limit: usize) -> Reply<'_, Vec<Delivery>>;
}

/// Where notifications of a call go instead, because their receiver said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRedirect {
    /// The callback URI of the notifications that it is about. Others, as the call has another one meanwhile, are not
    /// redirected.
    pub from: String,
    /// Where they go.
    pub to: String,
}

/// How the delivery of a notification went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The call of the notification.
    pub call: CallId,
    /// The sequence of the notification in its call.
    pub sequence: u64,
    /// What was tried; `None` where it was given up without trying, such as after a 410 to an earlier one.
    pub attempt: Option<Attempt>,
    /// Where the delivery stands.
    pub state: NotificationState,
}

/// A notification and how its delivery went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The notification.
    pub notification: Notification,
    /// Where its delivery stands.
    pub state: NotificationState,
    /// The attempts in order, at most [`crate::MAX_ATTEMPTS_KEPT`].
    pub attempts: Vec<Attempt>,
    /// Those that somebody asked for besides, in order, at most [`crate::MAX_RESENDS_KEPT`]; they have numbers of their own.
    pub resends: Vec<Attempt>,
}
