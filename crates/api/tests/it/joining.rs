//! `POST /communications/calls` of several: group calls, and joins of meetings.

use std::collections::BTreeMap;

use axum::body::Body;
use model::{
    AllowedPresenters, AppId, Destination, Identity, LobbyBypass, LobbyBypassScope, MeetingId, OnlineMeeting,
    Permission, PermissionSet, TenantId, Timestamp, UserId,
};
use serde_json::{Value, json};

use crate::app::{Answer, App, BASE, BOT, CALLS, CONTOSO, FABRIKAM, OTHER_BOT, refused, request};

const GROUP: &str = include_str!("../../../graph-wire/tests/requests/03-group.json");
const GROUP_APP_HOSTED: &str = include_str!("../../../graph-wire/tests/requests/04-group-app-hosted.json");
const BY_COORDINATES: &str = include_str!("../../../graph-wire/tests/requests/05-join-by-coordinates.json");
const WITH_PASSCODE: &str =
    include_str!("../../../graph-wire/tests/requests/07-join-by-id-with-passcode.json");
const BY_NUMBER: &str = include_str!("../../../graph-wire/tests/requests/08-join-by-id.json");

const THREAD: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2";

/// The meeting that the documented requests join, with or without a passcode.
fn meeting(passcode: Option<&str>) -> OnlineMeeting {
    OnlineMeeting {
        id: MeetingId::from("MSo1ODEwY2VkZQ"),
        tenant: TenantId::from(FABRIKAM),
        organizer: UserId::from("5810cede-f3cc-42eb-b2c1-e9bd5d53ec96"),
        organizer_name: Some("Bob".to_owned()),
        thread_id: THREAD.to_owned(),
        external_id: None,
        subject: None,
        created_at: Timestamp::from_millis(0),
        starts_at: Timestamp::from_millis(0),
        ends_at: Timestamp::from_millis(3_600_000),
        attendees: Vec::new(),
        join_meeting_id: "1234567".to_owned(),
        passcode: passcode.map(str::to_owned),
        video_teleconference_id: None,
        lobby_bypass: LobbyBypass { scope: LobbyBypassScope::Everyone, is_dial_in_bypass_enabled: false },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Everyone,
        is_entry_exit_announced: false,
        is_locked: false,
        consents: BTreeMap::new(),
        options: BTreeMap::new(),
        is_from_file: false,
        revision: 0,
    }
}

fn app_with(meeting: OnlineMeeting) -> App {
    let app = App::new();
    app.store.meetings.lock().unwrap().push(meeting);
    app
}

/// Sends a body as it is written, with these permissions in the tenant of the documented meetings.
async fn send(app: &App, roles: &[&str], body: &str) -> Answer {
    let token = app.token_of(BOT, FABRIKAM, roles);
    let request = request("POST", CALLS, &token).header("content-type", "application/json");
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn join(app: &App, body: &str) -> Answer {
    send(app, &[Permission::JOIN_GROUP_CALL], body).await
}

/// A documented body with one member changed.
fn changed(body: &str, member: &str, value: Value) -> String {
    let mut body: Value = graph_wire::json::parse(body.as_bytes()).unwrap();
    body[member] = value;
    body.to_string()
}

fn guest_of(app: &App) -> Option<Identity> {
    let created = app.calls.created.lock().unwrap();
    let Some(Destination::Meeting(join)) = created.last().map(|new| &new.destination) else {
        panic!("nothing was joined");
    };
    join.guest.clone()
}

#[tokio::test]
async fn the_documented_group_call_is_created() {
    let app = App::new();
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::INITIATE_GROUP_CALL]);
    let answer = app.send(request("POST", CALLS, &token).body(Body::from(GROUP)).unwrap()).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    assert_eq!(body["targets"][0]["identity"]["user"]["displayName"], "user1");
    assert_eq!(body["targets"][1]["identity"]["user"]["displayName"], "user2");
    assert_eq!(body["subject"], "Create a group call with service hosted media");
    assert_eq!(body["tenantId"], CONTOSO);
    assert_eq!(body["mediaConfig"]["removeFromDefaultAudioGroup"], false);
    let created = app.calls.created.lock().unwrap();
    assert!(matches!(&created[0].destination, Destination::Group(invitees) if invitees.len() == 2));
}

#[tokio::test]
async fn a_group_call_has_its_permission_and_its_limit() {
    let app = App::new();
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::INITIATE_GROUP_CALL]);
    let person = json!({"identity": {"user": {"id": "u"}}});
    let body =
        |targets: Vec<&Value>| graph_wire::json::parse(changed(GROUP, "targets", json!(targets)).as_bytes());
    let many = body(vec![&person; 6]).unwrap();
    assert_eq!(app.post_as(&token, CALLS, &many).await.error(), refused(400, "BadRequest"));
    let five = body(vec![&person; 5]).unwrap();
    assert_eq!(app.post_as(&token, CALLS, &five).await.status, 201);
    assert_eq!(app.post(CALLS, &five).await.error(), refused(403, "7504"));
}

#[tokio::test]
async fn the_documented_join_by_coordinates_is_answered_as_documented() {
    let app = app_with(meeting(Some("psw123")));
    let answer = join(&app, BY_COORDINATES).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{BASE}/v1.0/communications/calls/{id}"));
    assert_eq!((&body["state"], &body["targets"]), (&json!("establishing"), &json!([])));
    assert_eq!(
        body["chatInfo"],
        json!({
            "@odata.type": "#microsoft.graph.chatInfo", "threadId": THREAD, "messageId": "0",
            "replyChainMessageId": null,
        })
    );
    let info = &body["meetingInfo"];
    assert_eq!(info["@odata.type"], "#microsoft.graph.organizerMeetingInfo");
    assert_eq!(info["organizer"]["user"]["displayName"], "Bob");
    assert_eq!(info["allowConversationWithoutHost"], true);
    assert_eq!((&body["tenantId"], &body["subject"]), (&json!(FABRIKAM), &Value::Null));
    assert_eq!(guest_of(&app), None);
}

#[tokio::test]
async fn the_documented_joins_by_number_are_told_the_chat() {
    for (body, passcode) in [(WITH_PASSCODE, Some("psw123")), (BY_NUMBER, None)] {
        let answer = join(&app_with(meeting(passcode)), body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["chatInfo"]["threadId"], THREAD);
        assert_eq!(
            body["meetingInfo"],
            json!({
                "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": "1234567",
                "passcode": passcode,
            })
        );
    }
}

#[tokio::test]
async fn a_number_may_be_written_in_groups() {
    let info = json!({"joinMeetingId": " 123 45 67 ", "passcode": "psw123"});
    let body = changed(WITH_PASSCODE, "meetingInfo", info);
    assert_eq!(join(&app_with(meeting(Some("psw123"))), &body).await.status, 201);
}

#[tokio::test]
async fn a_meeting_that_is_not_there_and_one_of_another_organizer_are_not_found() {
    let app = app_with(meeting(Some("psw123")));
    let organizer = |id: &str| json!({"organizer": {"user": {"id": id}}});
    for body in [
        changed(WITH_PASSCODE, "meetingInfo", json!({"joinMeetingId": "7654321", "passcode": "psw123"})),
        changed(BY_COORDINATES, "meetingInfo", organizer("112f7296-5fa4-42ca-bae8-6a692b15d4b8")),
        changed(BY_COORDINATES, "chatInfo", json!({"threadId": "19:meeting_x@thread.v2"})),
    ] {
        assert_eq!(join(&app, &body).await.error(), refused(404, "8561"), "{body}");
    }
    assert!(app.calls.created.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_meeting_of_another_tenant_is_not_joined() {
    let app = app_with(meeting(None));
    let token = app.token_of(BOT, CONTOSO, &[Permission::JOIN_GROUP_CALL]);
    let body = |tenant: Value| changed(BY_COORDINATES, "tenantId", tenant).parse::<Value>().unwrap();
    assert_eq!(app.post_as(&token, CALLS, &body(json!(FABRIKAM))).await.error(), refused(403, "7505"));
    // The organizer of the documented request is of the other tenant.
    assert_eq!(app.post_as(&token, CALLS, &body(Value::Null)).await.error(), refused(403, "7505"));
}

#[tokio::test]
async fn a_locked_meeting_is_not_joined() {
    let app = app_with(OnlineMeeting { is_locked: true, ..meeting(None) });
    assert_eq!(join(&app, BY_COORDINATES).await.error(), refused(403, "8560"));
}

#[tokio::test]
async fn a_token_joins_nothing() {
    let body = changed(BY_NUMBER, "meetingInfo", json!({"token": "t"}));
    assert_eq!(join(&app_with(meeting(None)), &body).await.error(), refused(400, "8526"));
}

#[tokio::test]
async fn whoever_may_not_join_learns_nothing_of_the_meeting() {
    let app = app_with(OnlineMeeting { is_locked: true, ..meeting(None) });
    let roles = [Permission::INITIATE, Permission::INITIATE_GROUP_CALL, Permission::ACCESS_MEDIA];
    for body in [BY_COORDINATES, BY_NUMBER, &BY_NUMBER.replace("1234567", "7654321")] {
        assert_eq!(send(&app, &roles, body).await.error(), refused(403, "7504"), "{body}");
    }
}

#[tokio::test]
async fn the_consent_of_the_chat_lets_an_application_join_it_and_nothing_else() {
    let consent: PermissionSet = [Permission::from(Permission::JOIN_CALLS_OF_CHAT)].into_iter().collect();
    let consents = BTreeMap::from([(AppId::from(BOT), consent)]);
    let app = app_with(OnlineMeeting { consents, is_from_file: true, ..meeting(None) });
    assert_eq!(send(&app, &[], BY_COORDINATES).await.status, 201);
    assert_eq!(guest_of(&app), None);
    let other = OnlineMeeting {
        thread_id: "19:other@thread.v2".to_owned(),
        join_meeting_id: "7654321".to_owned(),
        ..meeting(None)
    };
    app.store.meetings.lock().unwrap().push(other);
    let body = BY_NUMBER.replace("1234567", "7654321");
    assert_eq!(send(&app, &[], &body).await.error(), refused(403, "7504"));
}

#[tokio::test]
async fn a_guest_joins_under_its_name_where_the_application_may_bring_guests() {
    let source = json!({"identity": {"guest": {"id": "g-1", "displayName": "Guest"}}});
    let body = changed(BY_COORDINATES, "source", source);
    let app = app_with(meeting(None));
    assert_eq!(join(&app, &body).await.error(), refused(403, "7504"));
    let answer = send(&app, &[Permission::JOIN_GROUP_CALL_AS_GUEST], &body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["source"]["identity"]["guest"]["displayName"], "Guest");
    assert_eq!(guest_of(&app), Some(Identity::of("g-1").named("Guest")));
}

#[tokio::test]
async fn an_application_that_may_only_be_a_guest_is_one_under_its_own_name() {
    let app = app_with(meeting(None));
    assert_eq!(send(&app, &[Permission::JOIN_GROUP_CALL_AS_GUEST], BY_COORDINATES).await.status, 201);
    assert_eq!(guest_of(&app), Some(Identity::of(BOT).named("Calling Bot")));
    let both = [Permission::JOIN_GROUP_CALL_AS_GUEST, Permission::JOIN_GROUP_CALL];
    assert_eq!(send(&app, &both, BY_COORDINATES).await.status, 201);
    assert_eq!(guest_of(&app), None);
}

#[tokio::test]
async fn media_that_the_application_hosts_needs_access_to_media_besides() {
    let app = app_with(meeting(None));
    let join = Permission::JOIN_GROUP_CALL;
    let media = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "x"});
    let body = &changed(BY_COORDINATES, "mediaConfig", media.clone());
    assert_eq!(send(&app, &[join], body).await.error(), refused(403, "7504"));
    assert!(app.calls.created.lock().unwrap().is_empty());
    let both = [join, Permission::ACCESS_MEDIA];
    let answer = send(&app, &both, body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["mediaConfig"]), (201, &media));
    let elsewhere = changed(body, "chatInfo", json!({"threadId": "19:meeting_x@thread.v2"}));
    assert_eq!(send(&app, &both, &elsewhere).await.error(), refused(404, "8561"));
}

#[tokio::test]
async fn the_consent_of_the_chat_to_access_its_media_is_enough_in_it_and_nowhere_else() {
    let consents = |names: &[&'static str]| {
        let granted = names.iter().map(|name| Permission::from(*name)).collect();
        BTreeMap::from([(AppId::from(BOT), granted)])
    };
    let both = [Permission::JOIN_CALLS_OF_CHAT, Permission::ACCESS_MEDIA_OF_CHAT];
    let app = app_with(OnlineMeeting { consents: consents(&both), is_from_file: true, ..meeting(None) });
    let other = OnlineMeeting {
        thread_id: "19:other@thread.v2".to_owned(),
        join_meeting_id: "7654321".to_owned(),
        consents: consents(&[Permission::JOIN_CALLS_OF_CHAT]),
        is_from_file: true,
        ..meeting(None)
    };
    app.store.meetings.lock().unwrap().push(other);
    let there = BY_NUMBER.replace("1234567", "7654321");
    let media = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let hosting = |body: &str| changed(body, "mediaConfig", media.clone());
    assert_eq!(send(&app, &[], &hosting(BY_COORDINATES)).await.status, 201);
    assert_eq!(send(&app, &[], &hosting(BY_NUMBER)).await.status, 201);
    assert_eq!(send(&app, &[], &there).await.status, 201);
    assert_eq!(send(&app, &[], &hosting(&there)).await.error(), refused(403, "7504"));
    assert_eq!(send(&app, &[Permission::ACCESS_MEDIA], &hosting(&there)).await.status, 201);
}

#[tokio::test]
async fn the_documented_group_call_may_have_media_that_the_application_hosts() {
    let app = App::new();
    let body = graph_wire::json::parse(GROUP_APP_HOSTED.as_bytes()).unwrap();
    let token = |roles: &[&str]| app.token_of(OTHER_BOT, CONTOSO, roles);
    let group = Permission::INITIATE_GROUP_CALL;
    assert_eq!(app.post_as(&token(&[group]), CALLS, &body).await.error(), refused(403, "7504"));
    let answer = app.post_as(&token(&[group, Permission::ACCESS_MEDIA]), CALLS, &body).await;
    assert_eq!(answer.status, 201);
    let media = &answer.json()["mediaConfig"];
    assert_eq!(media["@odata.type"], "#microsoft.graph.appHostedMediaConfig");
    assert_eq!(media["removeFromDefaultAudioGroup"], false);
}

#[tokio::test]
async fn a_join_that_is_not_right_is_refused_by_its_place() {
    let app = app_with(meeting(None));
    for (member, value, place) in [
        ("chatInfo", Value::Null, "chatInfo"),
        ("chatInfo", json!({"messageId": "0"}), "chatInfo.threadId"),
        ("meetingInfo", json!({}), "meetingInfo.@odata.type"),
        ("meetingInfo", json!({"organizer": {}}), "meetingInfo.organizer.user.id"),
        ("meetingInfo", json!({"joinMeetingId": 1}), "meetingInfo.joinMeetingId"),
        ("targets", json!([{"identity": {"user": {"id": "u"}}}]), "targets"),
    ] {
        let answer = join(&app, &changed(BY_COORDINATES, member, value.clone())).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{member}: {value}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{place}: expected")), "{member}: {message}");
    }
}
