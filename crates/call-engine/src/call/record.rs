//! How a call's record begins, and what is told of it.

use model::{
    Call, CallDirection, CallId, CallKind, CallState, ChainId, ChangeType, Destination, IdSource, Identity,
    IdentitySet, Incoming, Invitee, MediaConfig, NewCall, NewIncomingCall, Notification, NotificationBody,
    NotificationId, Operation, OperationId, OperationKind, OperationStatus, Participant, ParticipantId,
    ScenarioId, Timestamp,
};

/// Writes a notification with the record's latest sequence number.
pub(crate) fn draft(
    record: &Call,
    change: ChangeType,
    body: NotificationBody,
    now: Timestamp,
    ids: &mut dyn IdSource,
) -> Notification {
    Notification {
        id: NotificationId::next(ids),
        sequence: record.notified,
        call: record.id,
        app: record.app.clone(),
        tenant: record.tenant.clone(),
        scenario: record.scenario.clone(),
        callback_uri: record.callback_uri.clone(),
        created_at: now,
        change,
        body,
    }
}

/// The record of a call that the application makes.
pub(super) fn record_of(id: CallId, new: NewCall, now: Timestamp, ids: &mut dyn IdSource) -> Call {
    let application = Identity::of(new.app.as_str()).named(new.app_name);
    let source = new.source.unwrap_or_else(|| Participant {
        identity: IdentitySet::application(application),
        ..Participant::default()
    });
    let target = |invitee: Invitee| invitee.target;
    let (kind, targets, place) = match new.destination {
        Destination::Group(invitees) => (CallKind::Group, invitees.into_iter().map(target).collect(), None),
        Destination::Meeting(join) => (CallKind::Meeting, Vec::new(), Some((join.chat, join.asked))),
        Destination::Person(invitee) => {
            (CallKind::PeerToPeer { person: invitee.callee.clone() }, vec![target(*invitee)], None)
        }
    };
    let (chat, meeting) = place.unzip();
    Call {
        id,
        app: new.app,
        tenant: new.tenant,
        is_tenant_shown: new.is_tenant_shown,
        created_at: now,
        callback_uri: new.callback_uri,
        chain: new.chain.unwrap_or_else(|| ChainId::next(ids)),
        scenario: new.scenario.unwrap_or_else(|| ScenarioId::new(ids.next_guid().to_string())),
        direction: CallDirection::Outgoing,
        state: CallState::Establishing,
        media_state: None,
        my_participant: ParticipantId::next(ids),
        source,
        targets,
        incoming: None,
        kind,
        chat,
        meeting,
        subject: new.subject,
        requested_modalities: new.requested_modalities,
        media_config: new.media_config,
        call_options: new.call_options,
        tone: None,
        answered_by: None,
        content_sharing: None,
        outcome: None,
        notified: 0,
    }
}

/// The record of a call that comes in.
pub(super) fn record_of_incoming(
    id: CallId,
    new: NewIncomingCall,
    now: Timestamp,
    ids: &mut dyn IdSource,
) -> Call {
    let incoming = Incoming { context: new.context, routes: new.routes, accepted_modalities: None };
    Call {
        id,
        app: new.app,
        tenant: new.tenant,
        is_tenant_shown: true,
        created_at: now,
        callback_uri: new.callback_uri,
        chain: new.chain.unwrap_or_else(|| ChainId::next(ids)),
        scenario: ScenarioId::new(ids.next_guid().to_string()),
        direction: CallDirection::Incoming,
        state: CallState::Incoming,
        media_state: None,
        my_participant: ParticipantId::next(ids),
        source: new.source,
        targets: vec![new.target],
        incoming: Some(Box::new(incoming)),
        kind: CallKind::PeerToPeer { person: new.caller },
        chat: None,
        meeting: None,
        subject: new.subject,
        requested_modalities: new.requested_modalities,
        media_config: MediaConfig::ServiceHosted {
            pre_fetch_media: Vec::new(),
            remove_from_default_audio_group: None,
        },
        call_options: None,
        tone: None,
        answered_by: None,
        content_sharing: None,
        outcome: None,
        notified: 0,
    }
}

pub(super) fn new_operation(
    kind: OperationKind,
    status: OperationStatus,
    client_context: Option<String>,
    ids: &mut dyn IdSource,
) -> Operation {
    Operation { id: OperationId::next(ids), kind, status, client_context, outcome: None }
}
