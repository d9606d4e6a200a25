//! What applications ask of group calls and meetings: participants, and actions on them.

use call_engine::{Command, ConferenceRequest};
use model::{
    ContentSharingSessionId, Identity, IdentitySet, MediaDirection, MediaStream, Modality, Participant,
    ParticipantId, Permission, RecordingStatus, RosterParticipant, ScreenSharingRole,
};
use serde_json::{Value, json};

use crate::app::{App, BASE, BOT, CALLS, CONTOSO, OTHER_BOT, refused};

pub(crate) const JOHN: &str = "550fae72-d251-43ec-868c-373732c2704f";

pub(crate) fn id(text: &str) -> ParticipantId {
    ParticipantId::parse(text).unwrap()
}

fn john() -> RosterParticipant {
    let identity = IdentitySet::user(Identity::of("112f7296-5fa4-42ca-bae8-6a692b15d4b8").named("John"));
    RosterParticipant {
        id: id(JOHN),
        info: Participant { identity, ..Participant::default() },
        is_muted: false,
        is_in_lobby: false,
        role: None,
        media_streams: vec![MediaStream {
            media_type: Modality::Audio,
            source_id: 11,
            direction: MediaDirection::SendReceive,
            is_server_muted: false,
            label: Some("main-audio".to_owned()),
        }],
        recording: None,
        metadata: None,
        sequence: 2,
        removed: None,
    }
}

/// A call with John in it.
async fn call_with_john(app: &App) -> String {
    app.calls.participants.lock().unwrap().push(john());
    app.call().await
}

fn token(app: &App) -> String {
    app.token_of(BOT, CONTOSO, &[Permission::INITIATE_GROUP_CALL, Permission::ACCESS_MEDIA])
}

fn invitation() -> Value {
    let whom = |id: &str| {
        json!({
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "replacesCallId": "a7ebfb2d-871e-419c-87af-27290b22e8db",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "user": {"@odata.type": "#microsoft.graph.identity", "id": id, "identityProvider": "AAD"},
            },
        })
    };
    json!({"participants": [whom("7e1b4346-85a6-4bdd-abe3-d11c5d420efe")], "clientContext": "mine"})
}

/// Each action below a call: its path, a body that it takes, the status and type of its answer, and what the call is asked.
fn actions() -> Vec<(String, Value, u16, &'static str, ConferenceRequest)> {
    let of_john = |action: &str| format!("participants/{JOHN}/{action}");
    let music = json!({
        "customPrompt": {
            "@odata.type": "#microsoft.graph.mediaPrompt",
            "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": "https://bot.contoso.com/onHold.wav"},
        },
        "clientContext": "mine",
    });
    let mine = json!({"clientContext": "mine"});
    let prompt = model::MediaPrompt {
        media: model::MediaInfo { uri: "https://bot.contoso.com/onHold.wav".to_owned(), resource_id: None },
    };
    let (participant, custom) = (id(JOHN), Some(prompt));
    let recording = json!({"clientContext": "mine", "status": "recording"});
    vec![
        ("mute".to_owned(), mine.clone(), 200, "muteParticipantOperation", ConferenceRequest::MuteSelf),
        ("unmute".to_owned(), mine.clone(), 200, "unmuteParticipantOperation", ConferenceRequest::UnmuteSelf),
        (
            "updateRecordingStatus".to_owned(),
            recording,
            200,
            "updateRecordingStatusOperation",
            ConferenceRequest::UpdateRecordingStatus(RecordingStatus::Recording),
        ),
        (
            "addLargeGalleryView".to_owned(),
            mine.clone(),
            202,
            "addLargeGalleryViewOperation",
            ConferenceRequest::AddLargeGalleryView,
        ),
        (
            of_john("mute"),
            mine.clone(),
            200,
            "muteParticipantOperation",
            ConferenceRequest::Mute(participant),
        ),
        (
            of_john("startHoldMusic"),
            music,
            202,
            "startHoldMusicOperation",
            ConferenceRequest::StartHoldMusic { participant, prompt: custom },
        ),
        (
            of_john("stopHoldMusic"),
            mine,
            202,
            "stopHoldMusicOperation",
            ConferenceRequest::StopHoldMusic(participant),
        ),
    ]
}

#[tokio::test]
async fn each_action_answers_its_operation_with_the_documented_status() {
    let app = App::new();
    let call = app.call().await;
    for (action, body, status, type_name, request) in actions() {
        let answer = app.post(&format!("{call}/{action}"), &body).await;
        assert_eq!(answer.status.as_u16(), status, "{action}: {answer:?}");
        let shown = answer.json();
        assert_eq!(shown["@odata.type"], format!("#microsoft.graph.{type_name}"), "{action}");
        assert_eq!(shown["clientContext"], "mine", "{action}");
        let operation = shown["id"].as_str().unwrap();
        assert_eq!(answer.header("location"), format!("{BASE}{call}/operations/{operation}"), "{action}");
        let asked = app.calls.commands.lock().unwrap().pop();
        let client_context = Some("mine".to_owned());
        assert_eq!(asked, Some(Command::Conference { request, client_context }), "{action}");
    }
}

#[tokio::test]
async fn only_mute_and_unmute_say_a_context() {
    let app = App::new();
    let call = app.call().await;
    for (action, body, _, type_name, _) in actions() {
        let shown = app.post(&format!("{call}/{action}"), &body).await.json();
        let context = shown.get("@odata.context").cloned();
        let expected =
            type_name.contains("muteP").then(|| json!(format!("{BASE}/v1.0/$metadata#{type_name}")));
        assert_eq!(context, expected, "{action}");
    }
}

#[tokio::test]
async fn an_invitation_is_answered_with_its_operation() {
    let app = App::new();
    let call = app.call().await;
    let answer = app.post_as(&token(&app), &format!("{call}/participants/invite"), &invitation()).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["@odata.type"], "#microsoft.graph.inviteParticipantsOperation");
    assert_eq!((&body["status"], &body["clientContext"]), (&json!("running"), &json!("mine")));
    let whom = &body["participants"][0];
    assert_eq!(whom["replacesCallId"], "a7ebfb2d-871e-419c-87af-27290b22e8db");
    assert_eq!((&whom["id"], &whom["identity"]["phone"]), (&Value::Null, &Value::Null));
    let commands = app.calls.commands.lock().unwrap();
    let [Command::Conference { request: ConferenceRequest::Invite(invitees), .. }] = commands.as_slice()
    else {
        panic!("{commands:?}");
    };
    assert_eq!(invitees[0].callee, "7e1b4346-85a6-4bdd-abe3-d11c5d420efe".into());
}

#[tokio::test]
async fn inviting_needs_the_permission_to_call_several() {
    let app = App::new();
    let call = app.call().await;
    let path = format!("{call}/participants/invite");
    assert_eq!(app.post(&path, &invitation()).await.error(), refused(403, "7504"));
    assert!(app.calls.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn participants_are_listed_and_shown() {
    let app = App::new();
    let call = call_with_john(&app).await;
    let list = app.get(&format!("{call}/participants")).await;
    assert_eq!(list.status, 200);
    let list = list.json();
    let call_id = call.rsplit('/').next().unwrap();
    let context = format!("{BASE}/v1.0/$metadata#communications/calls('{call_id}')/participants");
    assert_eq!(list["@odata.context"], context);
    assert_eq!(list["value"][0]["info"]["identity"]["user"]["displayName"], "John");
    assert_eq!(list["value"][0]["mediaStreams"][0]["sourceId"], "11");

    let one = app.get(&format!("{call}/participants('{}')", JOHN.to_uppercase())).await.json();
    assert_eq!((&one["id"], &one["isMuted"]), (&json!(JOHN), &json!(false)));
    assert_eq!(one["@odata.context"], format!("{context}/$entity"));
    let selected = app.get(&format!("{call}/participants/{JOHN}?$select=isInLobby")).await.json();
    assert_eq!((&selected["isInLobby"], selected.get("info")), (&json!(false), None));
}

#[tokio::test]
async fn a_call_shows_what_hangs_on_it_where_that_is_asked_for() {
    let app = App::new();
    let call = call_with_john(&app).await;
    let query = "$expand=participants($select=id),audioRoutingGroups,operations";
    let body = app.get(&format!("{call}?{query}")).await.json();
    assert_eq!(body["participants"][0], json!({"@odata.type": "#microsoft.graph.participant", "id": JOHN}));
    assert_eq!((&body["audioRoutingGroups"], &body["operations"]), (&json!([]), &json!([])));
    assert_eq!(app.get(&call).await.json().get("participants"), None);
}

#[tokio::test]
async fn whoever_is_not_in_the_call_is_not_found() {
    let app = App::new();
    let call = call_with_john(&app).await;
    for id in ["57dab8b1-894c-409a-b240-bd8beae78896", "John", "%27"] {
        let answer = app.get(&format!("{call}/participants/{id}")).await;
        assert_eq!(answer.error(), refused(404, "8558"), "{id}");
    }
    let answer = app.post(&format!("{call}/participants/John/mute"), &json!({})).await;
    assert_eq!(answer.error(), refused(404, "8558"));
}

#[tokio::test]
async fn a_participant_is_sent_away() {
    let app = App::new();
    let call = app.call().await;
    let answer = app.bare("DELETE", &format!("{call}/participants/{JOHN}")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    let request = ConferenceRequest::Remove(id(JOHN));
    assert_eq!(*app.calls.commands.lock().unwrap(), [Command::Conference { request, client_context: None }]);
}

#[tokio::test]
async fn a_side_in_screen_sharing_is_taken_without_a_body_in_return() {
    let app = App::new();
    let call = app.call().await;
    let path = format!("{call}/changeScreenSharingRole");
    let answer = app.post(&path, &json!({"role": "viewer"})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
    let request = ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Viewer);
    assert_eq!(*app.calls.commands.lock().unwrap(), [Command::Conference { request, client_context: None }]);
    let token = app.token_of(BOT, CONTOSO, &[Permission::INITIATE]);
    let refusal = app.post_as(&token, &path, &json!({"role": "viewer"})).await;
    assert_eq!(refusal.error(), refused(403, "7504"));
}

#[tokio::test]
async fn what_is_shared_is_listed_and_shown() {
    let app = App::new();
    let call = app.call().await;
    let sessions = format!("{call}/contentSharingSessions");
    let list = app.get(&sessions).await;
    assert_eq!((list.status.as_u16(), &list.json()["value"]), (200, &json!([])));
    assert_eq!(app.get(&format!("{sessions}/{JOHN}")).await.status, 404);

    app.calls.live.lock().unwrap().values_mut().for_each(|(call, _)| {
        call.content_sharing = ContentSharingSessionId::parse(JOHN);
    });
    let shown = json!({"@odata.type": "#microsoft.graph.contentSharingSession", "id": JOHN});
    assert_eq!(app.get(&sessions).await.json()["value"], json!([shown]));
    let one = app.get(&format!("{sessions}/{}", JOHN.to_uppercase())).await.json();
    let call_id = call.rsplit('/').next().unwrap();
    let context = format!("{BASE}/v1.0/$metadata#communications/calls('{call_id}')/contentSharingSessions");
    assert_eq!((&one["id"], &one["@odata.context"]), (&json!(JOHN), &json!(format!("{context}/$entity"))));
    let whole = app.get(&format!("{call}?$expand=contentSharingSessions")).await.json();
    assert_eq!(whole["contentSharingSessions"], json!([shown]));
    for other in ["7e1b4346-85a6-4bdd-abe3-d11c5d420efe", "no-id"] {
        let refusal = app.get(&format!("{sessions}/{other}")).await;
        assert_eq!(refusal.status, 404, "{other}");
    }
    let other = app.token_of(OTHER_BOT, CONTOSO, &[Permission::INITIATE]);
    assert_eq!(app.get_as(&other, &sessions).await.status, 404);
}

#[tokio::test]
async fn beta_mutes_everyone_and_keeps_the_lobby() {
    let app = App::new();
    let call = app.call().await.replace("/v1.0/", "/beta/");
    let body = json!({"participants": [JOHN], "clientContext": "mine"});
    let muted = app.post(&format!("{call}/participants/muteAll"), &body).await;
    assert_eq!(muted.status, 200);
    assert_eq!(muted.json()["@odata.type"], "#microsoft.graph.commsOperation");
    assert!(muted.header("location").contains("/beta/communications/calls/"));
    for action in
        ["admitAllFromLobby".to_owned(), format!("{JOHN}/admitFromLobby"), format!("{JOHN}/removeFromLobby")]
    {
        let answer = app.post(&format!("{call}/participants/{action}"), &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{action}");
    }
    let commands = app.calls.commands.lock().unwrap();
    let request = |command: &Command| {
        let Command::Conference { request, .. } = command else { panic!("{command:?}") };
        request.clone()
    };
    let requests: Vec<_> = commands.iter().map(request).collect();
    let john = id(JOHN);
    let expected = [
        ConferenceRequest::MuteAll(vec![john]),
        ConferenceRequest::Admit(None),
        ConferenceRequest::Admit(Some(john)),
        ConferenceRequest::RemoveFromLobby(john),
    ];
    assert_eq!(requests, expected);
}

#[tokio::test]
async fn the_loudest_is_named_or_nobody_is() {
    let app = App::new();
    let call = app.call().await.replace(CALLS, "/hookswitch/v1/calls");
    let path = format!("{call}/dominantSpeaker");
    let nobody = app.get(&path).await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.json()),
        (200, json!({"participantId": null, "sourceId": null}))
    );
    *app.calls.dominant.lock().unwrap() = Some((id(JOHN), 11));
    assert_eq!(app.get(&path).await.json(), json!({"participantId": JOHN, "sourceId": "11"}));
}

#[tokio::test]
async fn a_conference_of_another_application_does_not_exist() {
    let app = App::new();
    let call = call_with_john(&app).await;
    let roles = [Permission::INITIATE_GROUP_CALL, Permission::ACCESS_MEDIA];
    let token = app.token_of(OTHER_BOT, CONTOSO, &roles);
    let get = |path: String| {
        let request = crate::app::request("GET", &path, &token);
        app.send(request.body(axum::body::Body::empty()).unwrap())
    };
    for path in ["participants".to_owned(), format!("participants/{JOHN}"), "audioRoutingGroups".to_owned()] {
        assert_eq!(get(format!("{call}/{path}")).await.error(), refused(404, "8522"), "{path}");
    }
    let speaker = format!("{}/dominantSpeaker", call.replace(CALLS, "/hookswitch/v1/calls"));
    assert_eq!(get(speaker).await.error(), refused(404, "8522"));
    for (action, body, ..) in actions() {
        let answer = app.post_as(&token, &format!("{call}/{action}"), &body).await;
        assert_eq!(answer.error(), refused(404, "8522"), "{action}");
    }
    assert!(app.calls.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bodies_that_are_not_right_are_refused_by_their_place() {
    let app = App::new();
    let call = app.call().await;
    let beta = call.replace("/v1.0/", "/beta/");
    let long = "x".repeat(257);
    let prompt = json!({"customPrompt": {"mediaInfo": {"uri": "http://bot.contoso.com/onHold.wav"}}});
    let cases = [
        (format!("{call}/mute"), json!({"clientContext": long}), "clientContext"),
        (format!("{call}/unmute"), json!({"clientContext": 7}), "clientContext"),
        (format!("{call}/unmute"), json!([]), "$"),
        (format!("{call}/addLargeGalleryView"), json!({"clientContext": {}}), "clientContext"),
        (format!("{call}/changeScreenSharingRole"), json!({}), "role"),
        (format!("{call}/updateRecordingStatus"), json!({"status": "unknown"}), "status"),
        (format!("{call}/participants/invite"), json!({"participants": []}), "participants"),
        (format!("{call}/participants/{JOHN}/startHoldMusic"), prompt, "customPrompt.mediaInfo.uri"),
        (format!("{call}/participants/{JOHN}/stopHoldMusic"), json!({"clientContext": []}), "clientContext"),
        (format!("{beta}/participants/muteAll"), json!({"participants": ["John"]}), "participants[0]"),
        (format!("{beta}/participants/admitAllFromLobby"), json!("all"), "$"),
    ];
    for (path, body, place) in cases {
        let answer = app.post_as(&token(&app), &path, &body).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{path} {body}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{place}: expected")), "{path}: {message}");
    }
    assert!(app.calls.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn actions_of_participants_are_found_by_every_spelling() {
    let app = App::new();
    let call = app.call().await;
    let call_id = call.rsplit('/').next().unwrap();
    let john = JOHN.to_uppercase().replace('-', "");
    for (path, status) in [
        (format!("/v1.0/app/calls/{call_id}/participants/microsoft.graph.invite"), 200),
        (format!("/v1.0/communications/calls('{call_id}')/Participants/INVITE/"), 200),
        (format!("/beta/communications/calls/{call_id}/participants/microsoft.graph.muteAll"), 200),
        (format!("/v1.0/communications/calls/{call_id}/participants('{john}')/microsoft.graph.mute"), 200),
        (format!("/v1.0/communications/calls/{call_id}/participants/{john}/STARTHOLDMUSIC"), 202),
        (format!("/v1.0/communications/calls/{call_id}/microsoft.graph.unmute"), 200),
    ] {
        let body = if path.to_ascii_lowercase().contains("invite") { invitation() } else { json!({}) };
        let answer = app.post_as(&token(&app), &path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
    }
}
