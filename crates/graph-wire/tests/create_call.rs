//! What `POST /communications/calls` makes of the documented bodies, and of bodies that are not right.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "sample/meeting.rs"]
mod meeting;

use graph_wire::{Caller, CreateCall, Intent, InvalidRequest, JoinedMeeting, Limits, MediaConfig};
use meeting::{NUMBERED_THREAD, THREAD, meeting};
use model::{
    AppId, ChainId, Destination, Identity, MeetingInfo, MeetingJoin, Modality, NewCall, Permission, Person,
    TenantId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const PEER_TO_PEER: &str = include_str!("requests/01-peer-to-peer.json");
const PEER_TO_PEER_APP_HOSTED: &str = include_str!("requests/02-peer-to-peer-app-hosted.json");
const GROUP: &str = include_str!("requests/03-group.json");
const GROUP_APP_HOSTED: &str = include_str!("requests/04-group-app-hosted.json");
const BY_COORDINATES: &str = include_str!("requests/05-join-by-coordinates.json");
const BY_COORDINATES_APP_HOSTED: &str = include_str!("requests/06-join-by-coordinates-app-hosted.json");
const BY_NUMBER_AND_PASSCODE: &str = include_str!("requests/07-join-by-id-with-passcode.json");
const BY_NUMBER: &str = include_str!("requests/08-join-by-id.json");

fn decode(body: &str) -> CreateCall {
    CreateCall::decode(body.as_bytes(), &Limits::default()).unwrap()
}

fn caller() -> Caller {
    Caller {
        app: AppId::from("2891555a-92ff-42e6-80fa-6e1300c6b5c6"),
        app_name: "Calling Bot".to_owned(),
        tenant: TenantId::from("aa67bd4c-8475-432d-bd41-39f255720e0a"),
        scenario: None,
    }
}

/// The first documented body with one member changed; a null takes it away.
fn changed(member: &str, value: Value) -> String {
    let mut body: Value = serde_json::from_str(PEER_TO_PEER).unwrap();
    body[member] = value;
    body.to_string()
}

fn refusal(body: &str) -> String {
    CreateCall::decode(body.as_bytes(), &Limits::default()).unwrap_err().to_string()
}

#[test]
fn the_first_documented_body_calls_one_person() {
    let call = decode(PEER_TO_PEER).into_new_call(caller(), None).unwrap();
    let Destination::Person(invitee) = call.destination else { panic!("it calls otherwise") };
    assert_eq!(invitee.callee, "112f7296-5fa4-42ca-bae8-6a692b15d4b8".into());
    assert_eq!(call.callback_uri, "https://bot.contoso.com/callback");
    assert_eq!(call.tenant, caller().tenant);
    assert!(!call.is_tenant_shown);
    assert_eq!(call.requested_modalities, [Modality::Audio]);
    assert_eq!(call.call_options.unwrap().is_content_sharing_notification_enabled, Some(true));
    let target = invitee.target.identity.user.unwrap();
    assert_eq!(target.display_name.as_deref(), Some("John"));
    assert_eq!((call.source, call.chain, call.scenario), (None, None, None));
}

#[test]
fn a_call_belongs_to_the_callers_tenant_however_the_body_spells_it() {
    let mut body: Value = serde_json::from_str(PEER_TO_PEER).unwrap();
    body["tenantId"] = json!(caller().tenant.as_str().to_uppercase());
    let call = decode(&body.to_string()).into_new_call(caller(), None).unwrap();
    assert_eq!((call.tenant, call.is_tenant_shown), (caller().tenant, true));
}

fn joined(thread: &str) -> Option<JoinedMeeting> {
    Some(JoinedMeeting { meeting: meeting(thread), guest: None })
}

fn join_of(call: NewCall) -> MeetingJoin {
    let Destination::Meeting(join) = call.destination else { panic!("it joins nothing") };
    *join
}

#[test]
fn each_documented_body_is_told_by_its_intent() {
    let initiate: &[&str] = &[Permission::INITIATE];
    let group: &[&str] = &[Permission::INITIATE_GROUP_CALL];
    let join: &[&str] = &[Permission::JOIN_GROUP_CALL, Permission::JOIN_GROUP_CALL_AS_GUEST];
    let expected = [
        (PEER_TO_PEER_APP_HOSTED, initiate, true),
        (GROUP, group, false),
        (GROUP_APP_HOSTED, group, true),
        (BY_COORDINATES, join, false),
        (BY_COORDINATES_APP_HOSTED, join, true),
        (BY_NUMBER_AND_PASSCODE, join, false),
        (BY_NUMBER, join, false),
        (include_str!("requests/09-phone-number.json"), initiate, false),
        (include_str!("requests/10-phone-number-app-hosted.json"), initiate, true),
    ];
    for (body, permissions, is_app_hosted) in expected {
        let request = decode(body);
        assert_eq!(request.intent.permissions(), permissions, "{body}");
        assert_eq!(request.is_app_hosted(), is_app_hosted, "{body}");
        assert!(request.into_new_call(caller(), joined(THREAD)).is_some(), "{body}");
    }
}

#[test]
fn the_documented_group_call_calls_everyone_and_names_the_tenant() {
    let call = decode(GROUP).into_new_call(caller(), None).unwrap();
    assert!(call.is_tenant_shown);
    assert_eq!(call.subject.as_deref(), Some("Create a group call with service hosted media"));
    let shown = model::MediaConfig::ServiceHosted {
        pre_fetch_media: Vec::new(),
        remove_from_default_audio_group: Some(false),
    };
    assert_eq!(call.media_config, shown);
    let Destination::Group(invitees) = call.destination else { panic!("it calls otherwise") };
    let callees: Vec<_> = invitees.iter().map(|invitee| invitee.callee.clone()).collect();
    let named = ["98da8a1a-1b87-452c-a713-65d3f10b5555", "bf5aae9a-d11d-47a8-93b1-782504c95555"];
    assert_eq!(callees, named.map(Person::from));
}

#[test]
fn what_the_application_tells_to_host_its_media_is_kept_as_it_is() {
    let media = |body: &str| decode(body).into_new_call(caller(), joined(THREAD)).unwrap().media_config;
    let rows = [
        (PEER_TO_PEER_APP_HOSTED, Some("<Media Session Configuration>"), None),
        (GROUP_APP_HOSTED, None, Some(false)),
        (BY_COORDINATES_APP_HOSTED, None, None),
    ];
    for (body, blob, remove_from_default_audio_group) in rows {
        let blob = blob.map(str::to_owned);
        let kept = model::MediaConfig::AppHosted { blob, remove_from_default_audio_group };
        assert_eq!(media(body), kept, "{body}");
        assert!(kept.is_app_hosted() && !kept.is_outside_default_audio_group());
    }
    assert!(!media(PEER_TO_PEER).is_app_hosted());
}

#[test]
fn a_phone_number_among_several_targets_is_called_by_an_application_instance() {
    let targets =
        json!([{"identity": {"user": {"id": "u"}}}, {"identity": {"phone": {"id": "+12345678901"}}}]);
    let mut body: Value = serde_json::from_str(&changed("targets", targets)).unwrap();
    body["source"] = json!({"identity": {"applicationInstance": {"id": "i"}}});
    let request = decode(&body.to_string());
    assert_eq!(request.intent.permissions(), [Permission::INITIATE_GROUP_CALL]);
    let call = request.into_new_call(caller(), None).unwrap();
    let Destination::Group(invitees) = call.destination else { panic!("it calls otherwise") };
    assert_eq!(invitees[1].callee, Person::Phone("+12345678901".parse().unwrap()));
}

#[test]
fn one_target_in_a_list_is_a_call_to_one_person() {
    let call = decode(&changed("targets", json!([{"identity": {"user": {"id": "u"}}}])));
    assert!(matches!(call.intent, Intent::PeerToPeer { .. }));
}

#[test]
fn whoever_starts_outside_of_the_common_sound_may_be_told_in_either_spelling() {
    for (request, spelling) in [
        (GROUP, "removeFromDefaultAudioGroup"),
        (GROUP, "removeFromDefaultAudioRoutingGroup"),
        (GROUP_APP_HOSTED, "removeFromDefaultAudioGroup"),
        (GROUP_APP_HOSTED, "removeFromDefaultAudioRoutingGroup"),
    ] {
        let mut body: Value = graph_wire::json::parse(request.as_bytes()).unwrap();
        body["mediaConfig"].as_object_mut().unwrap().remove("removeFromDefaultAudioGroup");
        body["mediaConfig"][spelling] = json!(true);
        body["targets"][1][spelling] = json!(true);
        let call = decode(&body.to_string()).into_new_call(caller(), None).unwrap();
        assert!(call.media_config.is_outside_default_audio_group(), "{spelling}");
        let Destination::Group(invitees) = call.destination else { panic!("it calls otherwise") };
        let removed = |at: usize| invitees[at].target.remove_from_default_audio_routing_group;
        assert_eq!((removed(0), removed(1)), (None, Some(true)), "{spelling}");
    }
}

#[test]
fn a_join_by_coordinates_keeps_what_it_needs() {
    let request = decode(BY_COORDINATES);
    assert_eq!(request.tenant, Some(TenantId::from("86dc81db-c112-4228-9222-63f3esaa1edb")));
    let Intent::Join { meeting: MeetingInfo::Organizer { organizer, .. }, chat } = &request.intent else {
        panic!("it joins otherwise");
    };
    assert_eq!(organizer.user.as_ref().unwrap().display_name.as_deref(), Some("Bob"));
    assert_eq!(chat.as_ref().unwrap().thread_id, THREAD);
    let MediaConfig::ServiceHosted { pre_fetch_media, .. } = &request.media_config else {
        panic!("it hosts its media itself");
    };
    assert_eq!(pre_fetch_media.len(), 2);
    let join = join_of(request.into_new_call(caller(), joined(THREAD)).unwrap());
    assert_eq!((join.chat.message_id.as_deref(), join.chat.reply_chain_message_id), (Some("0"), None));
    assert_eq!(join.meeting, meeting(THREAD));
    assert!(matches!(join.asked, MeetingInfo::Organizer { allow_conversation_without_host: Some(true), .. }));
}

#[test]
fn a_join_by_number_is_told_the_chat_that_was_found() {
    for (body, passcode) in [(BY_NUMBER_AND_PASSCODE, Some("psw123")), (BY_NUMBER, None)] {
        let join = join_of(decode(body).into_new_call(caller(), joined(NUMBERED_THREAD)).unwrap());
        assert_eq!(join.chat.thread_id, NUMBERED_THREAD);
        assert_eq!(join.chat.message_id.as_deref(), Some("0"));
        let passcode = passcode.map(str::to_owned);
        assert_eq!(
            join.asked,
            MeetingInfo::JoinMeetingId { join_meeting_id: "1234567".to_owned(), passcode }
        );
    }
}

#[test]
fn a_join_whose_meeting_nobody_found_is_not_served() {
    assert_eq!(decode(BY_NUMBER).into_new_call(caller(), None), None);
}

#[test]
fn a_guest_joins_under_the_name_that_was_found_for_it() {
    let guest = Some(Identity::of("g").named("Guest"));
    let found = JoinedMeeting { meeting: meeting(THREAD), guest: guest.clone() };
    assert_eq!(join_of(decode(BY_COORDINATES).into_new_call(caller(), Some(found)).unwrap()).guest, guest);
}

#[test]
fn a_chat_that_says_no_message_is_the_meetings_own() {
    let mut body: Value = graph_wire::json::parse(BY_COORDINATES.as_bytes()).unwrap();
    body["chatInfo"] = json!({"threadId": THREAD, "replyChainMessageId": "5"});
    let join = join_of(decode(&body.to_string()).into_new_call(caller(), joined(THREAD)).unwrap());
    assert_eq!(join.chat.message_id.as_deref(), Some("0"));
    assert_eq!(join.chat.reply_chain_message_id.as_deref(), Some("5"));
}

#[test]
fn a_meeting_is_joined_by_number_or_token_whether_or_not_the_type_is_said() {
    let join = |meeting: Value| {
        let body = json!({
            "callbackUri": "https://bot.contoso.com/callback", "mediaConfig": {"preFetchMedia": []},
            "meetingInfo": meeting,
        });
        let Intent::Join { meeting, chat: None } = decode(&body.to_string()).intent else {
            panic!("it joins otherwise");
        };
        meeting
    };
    let by_number = MeetingInfo::JoinMeetingId { join_meeting_id: "1234567".to_owned(), passcode: None };
    assert_eq!(join(json!({"joinMeetingId": "1234567", "passcode": null})), by_number);
    assert_eq!(
        join(json!({"@odata.type": "microsoft.graph.TokenMeetingInfo", "token": "t"})),
        MeetingInfo::Token { token: "t".to_owned() }
    );
}

#[test]
fn what_is_wrong_with_a_join_is_named_by_its_place() {
    let refusal_of = |member: &str, value: Value| {
        let mut body: Value = graph_wire::json::parse(BY_COORDINATES.as_bytes()).unwrap();
        body[member] = value;
        refusal(&body.to_string())
    };
    let organizer = "#microsoft.graph.organizerMeetingInfo";
    let cases = [
        ("chatInfo", Value::Null, "chatInfo: expected a value: the member is required"),
        ("chatInfo", json!({}), "chatInfo.threadId: expected a value: the member is required"),
        ("chatInfo", json!({"threadId": 7}), "chatInfo.threadId: expected a string"),
        ("meetingInfo", json!([]), "meetingInfo: expected an object"),
        (
            "meetingInfo",
            json!({"@odata.type": organizer}),
            "meetingInfo.organizer: expected a value: the member is required",
        ),
        (
            "meetingInfo",
            json!({"@odata.type": organizer, "organizer": {"user": {"id": 7}}}),
            "meetingInfo.organizer.user.id: expected a string",
        ),
        (
            "meetingInfo",
            json!({"@odata.type": organizer, "organizer": {"user": {"displayName": "Bob"}}}),
            "meetingInfo.organizer.user.id: expected an id",
        ),
        (
            "meetingInfo",
            json!({"@odata.type": organizer, "organizer": {}, "allowConversationWithoutHost": "yes"}),
            "meetingInfo.allowConversationWithoutHost: expected true or false",
        ),
        ("meetingInfo", json!({"token": 7}), "meetingInfo.token: expected a string"),
        ("meetingInfo", json!({"joinMeetingId": 1234567}), "meetingInfo.joinMeetingId: expected a string"),
        (
            "meetingInfo",
            json!({"joinMeetingId": "1234567", "passcode": 1}),
            "meetingInfo.passcode: expected a string",
        ),
        (
            "meetingInfo",
            json!({}),
            "meetingInfo.@odata.type: expected #microsoft.graph.organizerMeetingInfo, tokenMeetingInfo \
             or joinMeetingIdMeetingInfo",
        ),
    ];
    for (member, value, expected) in cases {
        assert_eq!(refusal_of(member, value.clone()), expected, "{member}: {value}");
    }
}

#[test]
fn a_phone_number_is_called_by_an_application_instance() {
    let Intent::PeerToPeer { target } = decode(include_str!("requests/09-phone-number.json")).intent else {
        panic!("it calls otherwise");
    };
    assert_eq!(target.callee, Person::Phone("+12345678901".parse().unwrap()));
}

#[test]
fn a_body_from_a_client_that_says_few_types_and_other_cases_is_taken() {
    let body = json!({
        "mediaConfig": {"@odata.type": "microsoft.graph.ServiceHostedMediaConfig"},
        "requestedModalities": ["Audio", "audio"],
        "targets": [{"identity": {"user": {"id": "u"}, "phone": null}, "languageId": null, "id": 7}],
        "callbackUri": "https://bot.contoso.com/callback",
        "callChainId": "D8217646311040B1BAE6E9AC6C3A9F74",
        "tenantId": "86dc81db-c112-4228-9222-63f3esaa1edb",
        "state": 7, "id": [], "@odata.etag": {}, "flavour": "mint",
    });
    let call = decode(&body.to_string()).into_new_call(caller(), None).unwrap();
    assert_eq!(call.requested_modalities, [Modality::Audio]);
    assert_eq!(call.chain, ChainId::parse("d8217646-3110-40b1-bae6-e9ac6c3a9f74"));
    assert!(call.is_tenant_shown);
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let target = |identity: Value| json!([{"identity": identity}]);
    let too_many = vec![json!({"identity": {"user": {"id": "u"}}}); 6];
    let media = |config: Value| changed("mediaConfig", config);
    let typed = |name: &str, own: Value| {
        let mut config = json!({"@odata.type": format!("#microsoft.graph.{name}")});
        config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        changed("mediaConfig", config)
    };
    let cases = [
        (changed("callbackUri", Value::Null), "callbackUri: expected a value: the member is required"),
        (changed("callbackUri", json!(7)), "callbackUri: expected a string"),
        (changed("callbackUri", json!("http://a.example")), "callbackUri: expected an absolute https URL"),
        (changed("mediaConfig", Value::Null), "mediaConfig: expected a value: the member is required"),
        (
            changed("@odata.type", json!("#microsoft.graph.user")),
            "@odata.type: expected #microsoft.graph.call",
        ),
        (changed("targets", Value::Null), "targets: expected at least one item, or meetingInfo beside it"),
        (changed("targets", json!({})), "targets: expected an array"),
        (changed("targets", json!(too_many)), "targets: expected at most 5 items"),
        (changed("targets", target(json!({}))), "targets[0].identity: expected either a user or a phone"),
        (changed("targets", target(json!({"user": {}}))), "targets[0].identity.user.id: expected an id"),
        (
            changed("targets", target(json!({"phone": {"id": "12345"}}))),
            "targets[0].identity.phone.id: expected an E.164 number with the plus, as +12015550123",
        ),
        (changed("meetingInfo", json!({"token": "t"})), "targets: expected no items beside meetingInfo"),
        (changed("direction", json!("incoming")), "direction: expected outgoing"),
        (changed("callChainId", json!("x")), "callChainId: expected a GUID"),
        (
            changed("requestedModalities", json!(["audio", "smell"])),
            "requestedModalities[1]: expected one of audio, video, videoBasedScreenSharing, data",
        ),
        (
            typed("serviceHostedMediaConfig", json!({"preFetchMedia": [{"uri": "beep.wav"}]})),
            "mediaConfig.preFetchMedia[0].uri: expected an absolute https URL",
        ),
        (typed("appHostedMediaConfig", json!({"blob": 1})), "mediaConfig.blob: expected a string"),
        (
            media(json!({})),
            "mediaConfig.@odata.type: expected #microsoft.graph.serviceHostedMediaConfig \
             or #microsoft.graph.appHostedMediaConfig",
        ),
        ("[]".to_owned(), "$: expected an object"),
        ("{\n \"targets\": [}".to_owned(), "malformed JSON at line 2, column 14: expected value"),
    ];
    for (body, expected) in cases {
        assert_eq!(refusal(&body), expected, "{body}");
    }
}

#[test]
fn an_empty_body_is_no_call() {
    assert!(matches!(
        CreateCall::decode(b"", &Limits::default()),
        Err(InvalidRequest::Malformed { line: 1, column: 1, .. })
    ));
}

/// A body with something of the documented shape in most places.
fn any_body() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "@odata.type",
        "callbackUri",
        "targets",
        "identity",
        "user",
        "phone",
        "id",
        "mediaConfig",
        "preFetchMedia",
        "uri",
        "meetingInfo",
        "chatInfo",
        "requestedModalities",
        "source",
        "callOptions",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "https://a.example/",
            "#microsoft.graph.call",
            "#microsoft.graph.serviceHostedMediaConfig",
            "audio",
            "+1",
            "\u{e9}",
            "",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..7).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..7).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic_and_what_is_taken_is_within_its_limits(body in any_body()) {
        if let Ok(request) = CreateCall::decode(body.to_string().as_bytes(), &Limits::default()) {
            prop_assert!(request.callback_uri.starts_with("https://"));
            prop_assert!(!request.requested_modalities.is_empty());
        }
    }

    #[test]
    fn a_documented_body_with_a_byte_changed_never_makes_it_panic(at in 0..700_usize, byte in any::<u8>()) {
        let mut body = PEER_TO_PEER.as_bytes().to_vec();
        let at = at % body.len();
        body[at] = byte;
        if let Err(InvalidRequest::Malformed { line, column, .. }) =
            CreateCall::decode(&body, &Limits::default())
        {
            prop_assert!(line >= 1 && column >= 1);
        }
    }
}
