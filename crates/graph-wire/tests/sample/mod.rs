//! The call of the first documented example, for tests and the budget.

use graph_wire::{CreateCall, Intent, Limits};
use model::{
    AppId, Call, CallDirection, CallId, CallState, ChainId, ChangeType, Identity, IdentitySet, MediaConfig,
    MediaInfo, Notification, NotificationBody, NotificationId, Participant, ParticipantId, ScenarioId,
    TenantId, Timestamp, UserId,
};

/// The body that creates it.
pub(crate) const PEER_TO_PEER: &[u8] = include_bytes!("../requests/01-peer-to-peer.json");

pub(crate) const CALL: &str = "2e1a0b00-2db4-4022-9570-243709c565ab";

/// The call of the first documented example, just created.
pub(crate) fn call() -> Call {
    let request = CreateCall::decode(PEER_TO_PEER, &Limits::default()).expect("the documented body is right");
    let Intent::PeerToPeer { target, .. } = request.intent else { panic!("another intent") };
    let media = |name: &str, id: &str| MediaInfo {
        uri: format!("https://cdn.contoso.com/{name}.wav"),
        resource_id: Some(id.to_owned()),
    };
    Call {
        id: CallId::parse(CALL).expect("an id"),
        app: AppId::from("2891555a-92ff-42e6-80fa-6e1300c6b5c6"),
        tenant: TenantId::from("aa67bd4c-8475-432d-bd41-39f255720e0a"),
        is_tenant_shown: false,
        created_at: Timestamp::from_millis(0),
        callback_uri: request.callback_uri,
        chain: ChainId::parse("d8217646-3110-40b1-bae6-e9ac6c3a9f74").expect("an id"),
        scenario: ScenarioId::from("s"),
        direction: CallDirection::Outgoing,
        state: CallState::Establishing,
        media_state: None,
        my_participant: ParticipantId::parse("499ff390-7a72-40e8-83a0-8fac6295ae7e").expect("an id"),
        source: Participant {
            identity: IdentitySet::application(
                Identity::of("2891555a-92ff-42e6-80fa-6e1300c6b5c6").named("Calling Bot"),
            ),
            ..Participant::default()
        },
        targets: vec![target],
        callee: UserId::from("112f7296-5fa4-42ca-bae8-6a692b15d4b8"),
        subject: None,
        requested_modalities: request.requested_modalities,
        media_config: MediaConfig::ServiceHosted {
            pre_fetch_media: vec![
                media("beep", "f8971b04-b53e-418c-9222-c82ce681a582"),
                media("cool", "86dc814b-c172-4428-9112-60f8ecae1edb"),
            ],
            remove_from_default_audio_group: None,
        },
        call_options: request.call_options,
        tone: None,
        answered_by: None,
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
