//! Calls that come in for an application, and what it may do with them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AppId, CallOptions, ChainId, IdentitySet, InvitationParticipant, MediaConfig, Modality, Participant,
    ParticipantId, Person, PhoneNumber, TenantId, UserId,
};

/// A call that someone makes to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIncomingCall {
    /// The application that is called.
    pub app: AppId,
    /// The tenant that the call belongs to.
    pub tenant: TenantId,
    /// Where the application is told of calls that come in: its registered webhook.
    pub callback_uri: String,
    /// The chain of the call that was sent on here, or `None` to have one made.
    pub chain: Option<ChainId>,
    /// Who calls.
    pub caller: Person,
    /// Who calls, as it is shown.
    pub source: Participant,
    /// Who was called, as it is shown: the application, or its instance.
    pub target: InvitationParticipant,
    /// The subject, shown again.
    pub subject: Option<String>,
    /// What the caller offers, in order.
    pub requested_modalities: Vec<Modality>,
    /// In whose place the caller calls, and who sent the call here.
    pub context: IncomingContext,
    /// How the call was sent on before it came here, oldest first.
    pub routes: Vec<CallRoute>,
}

/// What only a call that came in has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The caller in rosters, and who is behind it.
    pub context: IncomingContext,
    /// How the call was sent on before it came here, oldest first.
    pub routes: Vec<CallRoute>,
    /// What the application accepted of what was requested; `None` until it answers.
    pub accepted_modalities: Option<Vec<Modality>>,
}

/// Who is behind a call that came in (`incomingContext`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingContext {
    /// The caller's participant id.
    pub source_participant: ParticipantId,
    /// In whose place the caller calls.
    pub on_behalf_of: Option<IdentitySet>,
    /// Who transferred the caller here.
    pub transferor: Option<IdentitySet>,
}

/// A call that was sent on (`callRoute`); all that is known here are forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRoute {
    /// Who was called.
    pub original: IdentitySet,
    /// Who was called in its place.
    pub redirected_to: IdentitySet,
}

/// What an application answers a call with (`answer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where later notifications go; `None` leaves them where the first one went.
    pub callback_uri: Option<String>,
    /// What it accepts, in order: at least one.
    pub accepted_modalities: Vec<Modality>,
    /// Who hosts the media.
    pub media_config: MediaConfig,
    /// Options, where the client sent any.
    pub call_options: Option<CallOptions>,
}

/// Why an application does not take a call (`rejectReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// It says nothing.
    None,
    /// It has too much to do.
    Busy,
    /// The caller may not call it.
    Forbidden,
}

/// Where an application sends a call on to (`redirect`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Who is called at once: at least one. Whoever answers first is connected.
    pub targets: Vec<RedirectTarget>,
    /// How long they may ring.
    pub timeout: Duration,
    /// Where the last notification goes; `None` leaves it where the first one went.
    pub callback_uri: Option<String>,
}

/// Someone that a call is sent on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectTarget {
    /// As the request has it.
    pub target: InvitationParticipant,
    /// Who that is.
    pub callee: Callee,
}

/// Someone who can be called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Callee {
    /// An application.
    Application(AppId),
    /// An application, by its account in a directory.
    ApplicationInstance(String),
    /// A number of the phone network.
    Phone(PhoneNumber),
    /// A person.
    User(UserId),
}
