//! The bodies of group calls and meetings.

use std::sync::Arc;

use graph_wire::{
    Caller, Contained, CreateCall, JoinedMeeting, Limits, ReadOptions, content_sharing_session_list,
    created_call, notifications, participant_list, read_call, read_content_sharing_session, read_participant,
    read_routing_group, routing_group_list, started_operation,
};
use model::{
    AudioRoutingGroup, Call, CallId, CallState, ChangeType, ContentSharingSessionId, Identity, IdentitySet,
    InvitationParticipant, MediaConfig, MediaDirection, MediaState, MediaStream, MeetingRole, Modality,
    NotificationBody, Operation, OperationId, OperationKind, OperationStatus, Outcome, Participant,
    ParticipantId, RecordingInfo, RecordingStatus, Roster, RosterParticipant, RoutingMode,
};
use serde_json::Value;

use crate::meeting::{NUMBERED_THREAD, THREAD, meeting};
use crate::sample::{CALL, caller, created, notification};

const BASE: &str = "https://graph.microsoft.com/v1.0";

/// A call made by a documented request.
pub(crate) fn made(request: &[u8], thread: &str) -> Call {
    let request = CreateCall::decode(request, &Limits::default()).unwrap();
    let joined = JoinedMeeting { meeting: meeting(thread), guest: None };
    let tenant = request.tenant.clone().unwrap_or(caller().tenant);
    created(request.into_new_call(Caller { tenant, ..caller() }, Some(joined)).unwrap())
}

fn joining() -> Call {
    made(include_bytes!("../requests/05-join-by-coordinates.json"), THREAD)
}

/// The call with what its application's program is told, whether or not the request said so itself.
fn served_to_its_application(mut call: Call) -> Call {
    match &mut call.media_config {
        MediaConfig::AppHosted { blob, .. } => *blob = Some("<Media Session Configuration>".to_owned()),
        MediaConfig::ServiceHosted { .. } => panic!("the service hosts it"),
    }
    call
}

fn stream(media_type: Modality, source_id: u32, direction: MediaDirection) -> MediaStream {
    MediaStream { media_type, source_id, direction, is_server_muted: false, label: None }
}

/// The two of the documented roster.
pub(crate) fn both() -> Vec<RosterParticipant> {
    let john = Identity::of("112f7296-5fa4-42ca-bae8-6a692b15d4b8").named("John");
    let bot = Identity::of("2891555a-92ff-42e6-80fa-6e1300c6b5c6").named("Calling Bot");
    let participant = |id: &str, identity, media_streams| RosterParticipant {
        id: ParticipantId::parse(id).unwrap(),
        info: Participant { identity, ..Participant::default() },
        is_muted: false,
        is_in_lobby: false,
        role: None,
        media_streams,
        recording: None,
        metadata: None,
        sequence: 1,
        removed: None,
    };
    let streams = vec![
        stream(Modality::Audio, 1, MediaDirection::SendReceive),
        stream(Modality::Video, 2, MediaDirection::ReceiveOnly),
        stream(Modality::VideoBasedScreenSharing, 8, MediaDirection::ReceiveOnly),
    ];
    let mut john = participant("0d7664b6-6432-43ed-8d27-d9e7adec188c", IdentitySet::user(john), streams);
    john.is_muted = true;
    john.info.language_id = Some("en-US".to_owned());
    let streams = vec![stream(Modality::Audio, 10, MediaDirection::SendReceive)];
    let identity = IdentitySet::application(bot);
    vec![john, participant("05491616-385f-44a8-9974-18cc5f9933c1", identity, streams)]
}

/// One with everything that a participant may have.
fn whole_participant() -> RosterParticipant {
    let mut whole = both().remove(1);
    let initiator = Some(whole.info.identity.clone());
    let application = whole.info.identity.application.as_mut().unwrap();
    application.application_type = Some("LargeGallery-V2".to_owned());
    let stream = &mut whole.media_streams[0];
    (stream.label, stream.is_server_muted) = (Some("main-audio".to_owned()), true);
    RosterParticipant {
        role: Some(MeetingRole::Organizer),
        recording: Some(RecordingInfo { status: RecordingStatus::Recording, initiator }),
        metadata: Some("{}".to_owned()),
        sequence: 7,
        ..whole
    }
}

pub(crate) fn roster(is_delta: bool, participants: Vec<RosterParticipant>) -> NotificationBody {
    NotificationBody::Roster(Box::new(Roster { sequence: 3, is_delta, participants }))
}

fn operation(kind: OperationKind, is_running: bool) -> Operation {
    Operation {
        id: OperationId::parse("17e3b46c-f61d-4f4d-9635-c626ef18e6ad").unwrap(),
        kind,
        status: if is_running { OperationStatus::Running } else { OperationStatus::Completed },
        client_context: Some("d45324c1-fcb5-430a-902c-f20af696537c".to_owned()),
        outcome: (!is_running).then_some(Outcome::ActionCompleted),
    }
}

fn invitation() -> OperationKind {
    let user = Identity::of("278405a3-f568-4b3e-b684-009193463064").named("user1");
    let whom =
        InvitationParticipant { identity: IdentitySet::user(user), ..InvitationParticipant::default() };
    OperationKind::InviteParticipants { participants: vec![whom] }
}

fn shared() -> ContentSharingSessionId {
    ContentSharingSessionId::parse("7e1b4346-85a6-4bdd-abe3-d11c5d420efe").unwrap()
}

fn group() -> AudioRoutingGroup {
    let [john, bot] = [0, 1].map(|at: usize| both()[at].id);
    AudioRoutingGroup {
        id: "oneToOne".to_owned(),
        mode: RoutingMode::OneToOne,
        sources: vec![bot],
        receivers: vec![john],
    }
}

fn notified(change: ChangeType, body: NotificationBody) -> Value {
    notifications([&notification(change, body)])
}

/// Each with the name of its file and of its type.
pub(crate) fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let gone = RosterParticipant { removed: Some("Removed".to_owned()), ..both().remove(0) };
    let established =
        Call { state: CallState::Established, media_state: Some(MediaState::Active), ..joining() };
    let call_notified = |call| notified(ChangeType::Updated, NotificationBody::Call(Arc::new(call)));
    let app_hosted = |request| created_call(BASE, &served_to_its_application(made(request, THREAD)));
    let by_number = |request| created_call(BASE, &made(request, NUMBERED_THREAD));
    let invited = NotificationBody::Operation(Box::new(operation(invitation(), false)));
    let mut bodies = vec![
        (
            "created-group",
            "call",
            created_call(BASE, &made(include_bytes!("../requests/03-group.json"), THREAD)),
        ),
        ("created-join", "call", created_call(BASE, &joining())),
        (
            "created-app-hosted",
            "call",
            app_hosted(include_bytes!("../requests/02-peer-to-peer-app-hosted.json")),
        ),
        (
            "created-group-app-hosted",
            "call",
            app_hosted(include_bytes!("../requests/04-group-app-hosted.json")),
        ),
        (
            "created-join-app-hosted",
            "call",
            app_hosted(include_bytes!("../requests/06-join-by-coordinates-app-hosted.json")),
        ),
        (
            "created-join-with-passcode",
            "call",
            by_number(include_bytes!("../requests/07-join-by-id-with-passcode.json")),
        ),
        ("created-join-by-id", "call", by_number(include_bytes!("../requests/08-join-by-id.json"))),
        ("notified-join-establishing", "commsNotifications", call_notified(joining())),
        ("notified-join-established", "commsNotifications", call_notified(established)),
        ("notified-roster", "commsNotifications", notified(ChangeType::Updated, roster(false, both()))),
        (
            "notified-delta-roster",
            "commsNotifications",
            notified(ChangeType::Updated, roster(true, vec![whole_participant(), gone])),
        ),
        ("notified-invited", "commsNotifications", notified(ChangeType::Deleted, invited)),
        (
            "notified-content-sharing",
            "commsNotifications",
            notified(ChangeType::Created, NotificationBody::ContentSharing(shared())),
        ),
    ];
    bodies.extend(started());
    bodies.extend(read());
    bodies
}

fn started() -> Vec<(&'static str, &'static str, Value)> {
    let status = RecordingStatus::Recording;
    let kinds = [
        ("inviting", "inviteParticipantsOperation", invitation(), true),
        ("muted", "muteParticipantOperation", OperationKind::MuteParticipant, false),
        ("unmuted", "unmuteParticipantOperation", OperationKind::UnmuteParticipant, false),
        ("muted-all", "commsOperation", OperationKind::MuteAll, false),
        ("starting-hold-music", "startHoldMusicOperation", OperationKind::StartHoldMusic, true),
        ("stopping-hold-music", "stopHoldMusicOperation", OperationKind::StopHoldMusic, true),
        ("adding-gallery", "addLargeGalleryViewOperation", OperationKind::AddLargeGalleryView, true),
        (
            "updated-recording-status",
            "updateRecordingStatusOperation",
            OperationKind::UpdateRecordingStatus { status },
            false,
        ),
    ];
    let body = |(name, type_name, kind, is_running)| {
        (name, type_name, started_operation(BASE, &operation(kind, is_running)))
    };
    kinds.map(body).into()
}

fn read() -> Vec<(&'static str, &'static str, Value)> {
    let everything = ReadOptions::default();
    let id = CallId::parse(CALL).unwrap();
    let list = participant_list(BASE, id, &both(), &everything);
    let groups = routing_group_list(BASE, id, &[group()], &everything);
    let call = made(include_bytes!("../requests/03-group.json"), THREAD);
    let call = Call { state: CallState::Established, media_state: Some(MediaState::Active), ..call };
    let call = read_call(BASE, &call, &Contained::default(), &everything);
    vec![
        ("read-group", "call", call),
        ("participants", "participantCollectionResponse", list),
        ("participant", "participant", read_participant(BASE, id, &whole_participant(), &everything)),
        ("routing-groups", "audioRoutingGroupCollectionResponse", groups),
        (
            "content-sharing-sessions",
            "contentSharingSessionCollectionResponse",
            content_sharing_session_list(BASE, id, Some(shared()), &everything),
        ),
        (
            "content-sharing-session",
            "contentSharingSession",
            read_content_sharing_session(BASE, id, shared(), &everything),
        ),
        ("routing-group", "audioRoutingGroup", read_routing_group(BASE, id, &group(), &everything)),
    ]
}
