//! The notifications of calls that come in, and of calls whose other party is handed over.

use std::sync::Arc;

use graph_wire::{Contained, ReadOptions, notifications, read_call};
use model::{
    Call, CallDirection, CallOptions, CallRoute, CallState, ChangeType, Identity, IdentitySet, Incoming,
    IncomingContext, InvitationParticipant, MediaState, Modality, NotificationBody, Outcome, Participant,
    ParticipantId,
};
use serde_json::Value;

use crate::sample::{call, notification};

const BASE: &str = "https://graph.microsoft.com/v1.0";
const JOHN: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";

/// A person calls the application.
pub(crate) fn incoming() -> Call {
    let bot = Identity::of("2891555a-92ff-42e6-80fa-6e1300c6b5c6").named("Calling Bot");
    let context = IncomingContext {
        source_participant: ParticipantId::parse("0d7664b6-6432-43ed-8d27-d9e7adec188c").unwrap(),
        on_behalf_of: None,
        transferor: None,
    };
    let incoming = Incoming { context, routes: Vec::new(), accepted_modalities: None };
    Call {
        direction: CallDirection::Incoming,
        state: CallState::Incoming,
        is_tenant_shown: true,
        source: Participant {
            identity: IdentitySet::user(Identity::of(JOHN).named("John")),
            region: Some("westus".to_owned()),
            language_id: Some("en-US".to_owned()),
            ..Participant::default()
        },
        targets: vec![InvitationParticipant {
            identity: IdentitySet::application(bot),
            ..InvitationParticipant::default()
        }],
        incoming: Some(Box::new(incoming)),
        requested_modalities: vec![Modality::Audio, Modality::Video],
        call_options: None,
        ..call()
    }
}

/// The same, answered.
pub(crate) fn answered() -> Call {
    let mut call = incoming();
    if let Some(incoming) = &mut call.incoming {
        incoming.accepted_modalities = Some(vec![Modality::Audio]);
    }
    let call_options =
        CallOptions { is_content_sharing_notification_enabled: Some(true), ..CallOptions::default() };
    let media_state = Some(MediaState::Active);
    Call { state: CallState::Established, media_state, call_options: Some(call_options), ..call }
}

/// A call to the application that another one sent on, with everything that such a call may have.
fn sent_on() -> Call {
    let application = |id: &str| IdentitySet::application(Identity::of(id));
    let (first, second) = (application("24701998-1a73-4d42-8085-bf46ed0ae039"), application("2891555a"));
    let mut call = incoming();
    if let Some(incoming) = &mut call.incoming {
        incoming.routes = vec![CallRoute { original: first.clone(), redirected_to: second }];
        incoming.context.transferor = Some(first.clone());
        incoming.context.on_behalf_of = Some(first);
    }
    call
}

/// A person whom someone answered in place of the application.
fn redirected() -> Call {
    let encrypted = Identity::of("1xt4uextl99sdzwdxuvdxrvgrv8gehcq7jdgf9yhzeto");
    let other = [("encrypted".to_owned(), encrypted)].into();
    let answered_by = Participant {
        identity: IdentitySet { other, ..IdentitySet::default() },
        endpoint_type: Some("default".to_owned()),
        ..Participant::default()
    };
    Call { answered_by: Some(answered_by), ..ended(incoming(), Outcome::Redirected) }
}

fn ended(call: Call, outcome: Outcome) -> Call {
    Call { state: CallState::Terminated, outcome: Some(outcome), ..call }
}

fn established() -> Call {
    Call { state: CallState::Established, media_state: Some(MediaState::Active), ..call() }
}

fn failed(outcome: Outcome) -> Call {
    Call { outcome: Some(outcome), ..established() }
}

fn notified(change: ChangeType, call: Call) -> Value {
    notifications([&notification(change, NotificationBody::Call(Arc::new(call)))])
}

pub(crate) fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let read = |call: &Call| read_call(BASE, call, &Contained::default(), &ReadOptions::default());
    let in_state = |state| Call { state, ..established() };
    let updated = |call| notified(ChangeType::Updated, call);
    let deleted = |call| notified(ChangeType::Deleted, call);
    let told = [
        ("notified-incoming", notified(ChangeType::Created, incoming())),
        ("notified-incoming-sent-on", notified(ChangeType::Created, sent_on())),
        (
            "notified-answering",
            updated(Call { state: CallState::Establishing, media_state: None, ..answered() }),
        ),
        ("notified-answered", updated(answered())),
        ("notified-rejected", deleted(ended(incoming(), Outcome::RejectedAsBusy))),
        ("notified-redirected", deleted(redirected())),
        ("notified-redirect-unanswered", deleted(ended(incoming(), Outcome::NotAnswered))),
        ("notified-not-acted-on", deleted(ended(incoming(), Outcome::NotActedOn))),
        ("notified-transferring", updated(in_state(CallState::Transferring))),
        ("notified-transfer-accepted", updated(in_state(CallState::TransferAccepted))),
        ("notified-transferred", deleted(ended(established(), Outcome::Transferred))),
        ("notified-transfer-failed", updated(failed(Outcome::TransferFailed))),
        ("notified-consultative-transfer-failed", updated(failed(Outcome::ConsultativeTransferFailed))),
    ];
    let mut bodies: Vec<_> =
        told.into_iter().map(|(name, body)| (name, "commsNotifications", body)).collect();
    bodies.extend([
        ("read-incoming", "call", read(&incoming())),
        ("read-incoming-sent-on", "call", read(&sent_on())),
        ("read-answered", "call", read(&answered())),
    ]);
    bodies
}
