//! The calls of the documented examples, for tests and the budget.

use graph_wire::{Caller, CreateCall, Limits};
use model::{
    AppId, Call, CallDirection, CallId, CallKind, CallState, ChainId, ChangeType, Destination, Identity,
    IdentitySet, MediaConfig, MediaInfo, NewCall, Notification, NotificationBody, NotificationId,
    Participant, ParticipantId, ScenarioId, TenantId, Timestamp,
};

/// The body that creates it.
pub(crate) const PEER_TO_PEER: &[u8] = include_bytes!("../requests/01-peer-to-peer.json");

pub(crate) const CALL: &str = "2e1a0b00-2db4-4022-9570-243709c565ab";

/// The application that the documented examples have.
pub(crate) fn caller() -> Caller {
    Caller {
        app: AppId::from("2891555a-92ff-42e6-80fa-6e1300c6b5c6"),
        app_name: "Calling Bot".to_owned(),
        tenant: TenantId::from("aa67bd4c-8475-432d-bd41-39f255720e0a"),
        scenario: None,
    }
}

/// The call of the first documented example, just created.
pub(crate) fn call() -> Call {
    let media = |name: &str, id: &str| MediaInfo {
        uri: format!("https://cdn.contoso.com/{name}.wav"),
        resource_id: Some(id.to_owned()),
    };
    let media_config = MediaConfig::ServiceHosted {
        pre_fetch_media: vec![
            media("beep", "f8971b04-b53e-418c-9222-c82ce681a582"),
            media("cool", "86dc814b-c172-4428-9112-60f8ecae1edb"),
        ],
        remove_from_default_audio_group: None,
    };
    let request = CreateCall::decode(PEER_TO_PEER, &Limits::default()).expect("the documented body is right");
    let new = request.into_new_call(caller(), None).expect("calls to one person are served");
    Call { media_config, ..created(new) }
}

/// A call as it is right after its creation.
pub(crate) fn created(new: NewCall) -> Call {
    let application = Identity::of(new.app.as_str()).named(new.app_name.as_str());
    let (kind, targets, meeting) = match new.destination {
        Destination::Group(invitees) => {
            let targets = invitees.into_iter().map(|invitee| invitee.target).collect();
            (CallKind::Group, targets, None)
        }
        Destination::Meeting(join) => (CallKind::Meeting, Vec::new(), Some((join.chat, join.asked))),
        Destination::Person(invitee) => {
            (CallKind::PeerToPeer { person: invitee.callee }, vec![invitee.target], None)
        }
    };
    let (chat, meeting) = meeting.unzip();
    Call {
        id: CallId::parse(CALL).expect("an id"),
        app: new.app,
        tenant: new.tenant,
        is_tenant_shown: new.is_tenant_shown,
        created_at: Timestamp::from_millis(0),
        callback_uri: new.callback_uri,
        chain: ChainId::parse("d8217646-3110-40b1-bae6-e9ac6c3a9f74").expect("an id"),
        scenario: ScenarioId::from("s"),
        direction: CallDirection::Outgoing,
        state: CallState::Establishing,
        media_state: None,
        my_participant: ParticipantId::parse("499ff390-7a72-40e8-83a0-8fac6295ae7e").expect("an id"),
        source: new.source.unwrap_or_else(|| Participant {
            identity: IdentitySet::application(application),
            ..Participant::default()
        }),
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

pub(crate) fn notification(change: ChangeType, body: NotificationBody) -> Notification {
    Notification {
        id: NotificationId::parse("0fe0623f-d628-42ed-b4bd-8ac290072cc5").expect("an id"),
        sequence: 5445,
        call: CallId::parse(CALL).expect("an id"),
        app: AppId::from("2891555a-92ff-42e6-80fa-6e1300c6b5c6"),
        tenant: TenantId::from("aa67bd4c-8475-432d-bd41-39f255720e0a"),
        scenario: ScenarioId::from("s"),
        callback_uri: "https://bot.contoso.com/callback".to_owned(),
        created_at: Timestamp::from_millis(0),
        change,
        body,
    }
}
