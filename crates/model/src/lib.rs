//! Ids, calls, participants, operations and their states.
//!
//! This crate holds what the product means, and nothing of how it travels or where it is kept: the JSON of the API is
//! `graph-wire`, the rows are a store's. Types derive serde only so that a store can keep a value whole.

mod call;
mod conference;
mod directory;
mod identity;
mod ids;
mod incoming;
mod ip_range;
mod media;
mod meeting;
mod notification;
mod operation;
mod permission;
mod person;
mod phone_number;
mod result_info;
mod time;
mod transfer;
mod trunk;

pub use call::{
    Call, CallDirection, CallKind, CallOptions, CallState, Destination, InvitationParticipant, Invitee,
    MediaConfig, MediaState, MeetingJoin, Modality, NewCall, Participant, ToneInfo,
};
pub use conference::{
    AudioRoutingGroup, MediaDirection, MediaStream, MeetingRole, RecordingInfo, RecordingStatus, Roster,
    RosterParticipant, RoutingMode, ScreenSharingRole,
};
pub use directory::{
    AccessPolicy, Application, ApplicationInstance, Directory, Ha1, IndexedDirectory, Script, ScriptAnswer,
    Tenant, User,
};
pub use identity::{Identity, IdentitySet};
pub use ids::{
    AppId, CallId, ChainId, ConferenceId, ContentSharingSessionId, IdSource, LegId, MeetingId,
    NotificationId, OperationId, Owner, ParticipantId, RecordingId, ScenarioId, TenantId, TrunkId, UserId,
};
pub use incoming::{
    Answer, CallRoute, Callee, Incoming, IncomingContext, NewIncomingCall, Redirect, RedirectTarget,
    RejectReason,
};
pub use ip_range::{IpRange, ParseRangeError};
pub use media::{MediaInfo, MediaPrompt, ParseToneError, RecordParams, Tone};
pub use meeting::{
    AllowedPresenters, ChatInfo, LobbyBypass, LobbyBypassScope, MeetingAttendee, MeetingInfo, MeetingOption,
    OnlineMeeting,
};
pub use notification::{Attempt, ChangeType, Notification, NotificationBody, NotificationState};
pub use operation::{Operation, OperationKind, OperationStatus, RecordCompletion, SendDtmfCompletion};
pub use permission::{Permission, PermissionSet};
pub use person::Person;
pub use phone_number::{ParseNumberError, PhoneNumber};
pub use result_info::{Outcome, ResultInfo};
pub use time::Timestamp;
pub use transfer::{Transfer, Transferee};
pub use trunk::{
    CallerForm, NumberPrefix, NumberPrefixError, NumberRule, SrtpPolicy, Trunk, TrunkAccount, TrunkBudget,
    TrunkPeer, TrunkRegistration, TrunkSecret, TrunkTransport, TrunkUsage,
};
