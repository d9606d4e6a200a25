//! JSON of the Graph calls API and its notifications, to and from `model`.
//!
//! - **Requests** are decoded from the bytes of a body: `CreateCall::decode(body, &Limits)`, and likewise
//!   [`PlayPrompt`], [`RecordResponse`], [`SubscribeToTone`], [`CancelMediaProcessing`] and [`SendDtmfTones`], which turn
//!   into a `model::OperationKind`, [`Invite`], [`StartHoldMusic`], [`MuteAll`], [`UpdateRecordingStatus`],
//!   [`ChangeScreenSharingRole`], [`RoutingGroup`], [`AnswerCall`], [`RejectCall`], [`RedirectCall`], [`TransferCall`], and [`PlainAction`] for those that say nothing. Everything wrong is an
//!   [`InvalidRequest`] that names the place; `GraphError::from` makes it a 400. An action's empty body is an empty object.
//! - **Bodies** are `serde_json::Value`: [`created_call`], [`read_call`], [`started_operation`], [`read_operation`],
//!   [`operation_list`], [`participant_list`], [`content_sharing_session_list`], [`routing_group_list`], [`notifications`]. `base` is scheme, host and version: `https://graph.example/v1.0`.
//! - **Errors** are [`GraphError`].
//! - **The served surface** is [`routes::ROUTES`] and its like, from which [`openapi::document`] is made.
//!
//! Each wire type is described, read and written in one place, so that the OpenAPI document cannot say anything else
//! than the code does. Members that no type declares are ignored in requests and never refused, as documented requests
//! contain some; members that are declared must have the declared type.

mod action;
mod call;
mod conference_action;
mod content_sharing;
mod create_call;
mod graph_error;
mod incoming;
mod invalid_request;
pub mod json;
pub mod limits;
pub mod links;
mod media;
mod meeting;
mod meeting_routes;
mod notification;
mod online_meeting;
pub mod openapi;
mod operation;
mod people;
mod query;
mod roster;
pub mod routes;
mod routing_group;
mod transcription;
mod transfer;
mod wire;

pub use action::{CancelMediaProcessing, PlayPrompt, RecordResponse, SendDtmfTones, SubscribeToTone};
pub use call::{Contained, created_call, read_call};
pub use conference_action::{
    ChangeScreenSharingRole, Invite, MuteAll, PlainAction, StartHoldMusic, UpdateRecordingStatus,
};
pub use content_sharing::{content_sharing_session_list, read_content_sharing_session};
pub use create_call::{Caller, CreateCall, Intent, JoinedMeeting};
pub use graph_error::{GraphError, InnerError};
pub use incoming::{AnswerCall, RedirectCall, RejectCall};
pub use invalid_request::InvalidRequest;
pub use limits::Limits;
pub use media::MediaConfig;
pub use notification::notifications;
pub use online_meeting::{
    CreateMeeting, JoinUrl, Language, MeetingCollection, MeetingFilter, MeetingIds, MeetingView,
    UpdateMeeting, join_web_url, meeting_list, read_meeting,
};
pub use operation::{operation_list, read_operation, started_operation};
pub use query::ReadOptions;
pub use roster::{dominant_speaker, participant_list, read_participant};
pub use routing_group::{RoutingGroup, read_routing_group, routing_group_list};
pub use transfer::TransferCall;
