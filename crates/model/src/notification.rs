use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AppId, Call, CallId, ContentSharingSessionId, NotificationId, Operation, Roster, ScenarioId, TenantId,
    Timestamp,
};

/// What happened to a resource (`changeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeType {
    /// It came to be.
    Created,
    /// It changed.
    Updated,
    /// It is over.
    Deleted,
}

/// Something an application is told of.
///
/// It holds what it says, not a reference: a later change of the call must not change what is already owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The same on every attempt.
    pub id: NotificationId,
    /// Counts a call's notifications from 1; they are delivered in this order.
    pub sequence: u64,
    /// The call it belongs to.
    pub call: CallId,
    /// The application that is told.
    pub app: AppId,
    /// The tenant of the call.
    pub tenant: TenantId,
    /// Correlates the call's traffic.
    pub scenario: ScenarioId,
    /// Where it goes.
    pub callback_uri: String,
    /// When it came to be.
    pub created_at: Timestamp,
    /// What happened.
    pub change: ChangeType,
    /// To what.
    pub body: NotificationBody,
}

impl Notification {
    /// Whether this is the call's last one.
    pub const fn is_last(&self) -> bool {
        matches!((self.change, &self.body), (ChangeType::Deleted, NotificationBody::Call(_)))
    }
}

/// The resource that a notification tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationBody {
    /// The call itself.
    Call(Arc<Call>),
    /// The screen that is shared in the call.
    ContentSharing(ContentSharingSessionId),
    /// An operation of the call.
    Operation(Box<Operation>),
    /// The participants of the call.
    Roster(Box<Roster>),
}

/// One try to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u32,
    /// The HTTP status; `None` where there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Where the delivery of a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotificationState {
    /// It is owed.
    Pending,
    /// It was received.
    Delivered,
    /// It was given up.
    Abandoned,
}
