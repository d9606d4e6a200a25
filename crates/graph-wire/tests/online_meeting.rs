//! What requests say of a meeting, how it is found, and how people are told to join.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "sample/meeting.rs"]
mod sample;

use graph_wire::{
    CreateMeeting, GraphError, JoinUrl, Language, Limits, MeetingCollection, MeetingFilter, MeetingIds,
    MeetingView, ReadOptions, UpdateMeeting, join_web_url, read_meeting,
};
use model::{
    AllowedPresenters, LobbyBypassScope, MeetingId, MeetingOption, MeetingRole, OnlineMeeting, TenantId,
    Timestamp, UserId,
};
use proptest::prelude::*;
use sample::{NUMBERED_THREAD, THREAD};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn meeting() -> OnlineMeeting {
    sample::meeting(THREAD)
}

fn decode(body: &Value) -> Result<CreateMeeting, GraphError> {
    CreateMeeting::decode(body.to_string().as_bytes(), &Limits::default())
}

fn made(body: &Value) -> OnlineMeeting {
    let ids = MeetingIds {
        id: MeetingId::from("id"),
        tenant: TenantId::from("tenant"),
        organizer: UserId::from("user"),
        organizer_name: None,
        thread_id: "thread".to_owned(),
        join_meeting_id: "123".to_owned(),
        passcode: "psw".to_owned(),
        video_teleconference_id: None,
    };
    decode(body).unwrap().into_meeting(ids, NOW)
}

fn changed(body: &Value) -> Result<OnlineMeeting, String> {
    let update = UpdateMeeting::decode(body.to_string().as_bytes(), &Limits::default());
    update.map_err(|error| error.message)?.apply(&meeting()).map_err(|error| error.to_string())
}

fn shown(meeting: &OnlineMeeting, language: Language, shows_unknown_members: bool) -> Value {
    let view = MeetingView {
        base: "https://graph.example/v1.0".to_owned(),
        join_base: "https://calls.example".to_owned(),
        collection: MeetingCollection::All,
        language,
        organizer_upn: None,
        dial_in_numbers: Vec::new(),
        kept: None,
        shows_unknown_members,
    };
    read_meeting(&view, meeting, &ReadOptions::default())
}

#[test]
fn a_meeting_without_times_begins_now_and_lasts_an_hour() {
    let hour = std::time::Duration::from_secs(3600);
    let none = made(&json!({}));
    assert_eq!((none.starts_at, none.ends_at), (NOW, NOW.after(hour)));
    let start = made(&json!({"startDateTime": "2027-03-01T10:00:00+01:00"}));
    let nine = Timestamp::from_millis(1_803_891_600_000);
    assert_eq!((start.starts_at, start.ends_at), (nine, nine.after(hour)));
    let both =
        made(&json!({"startDateTime": "2027-03-01T09:00:00.0000001", "endDateTime": "2027-03-01T09:00:00Z"}));
    assert_eq!((both.starts_at, both.ends_at), (nine, nine));
}

#[test]
fn a_passcode_is_there_where_it_is_required_and_only_there() {
    for (settings, expected) in [
        (json!({"isPasscodeRequired": true}), Some("psw".to_owned())),
        (json!({"isPasscodeRequired": true, "passcode": null}), Some("psw".to_owned())),
        (json!({"isPasscodeRequired": false}), None),
        (json!({}), None),
        (Value::Null, None),
    ] {
        let meeting = made(&json!({"joinMeetingIdSettings": settings}));
        assert_eq!(meeting.passcode, expected, "{settings}");
    }
}

#[test]
fn what_is_set_is_kept_and_the_rest_has_its_default() {
    let meeting = made(&json!({
        "subject": "Sync",
        "allowedPresenters": "Organization",
        "allowedLobbyAdmitters": "organizerAndCoOrganizers",
        "lobbyBypassSettings": {"scope": "everyone"},
        "isEntryExitAnnounced": false,
        "allowMeetingChat": "LIMITED",
        "allowRecording": false,
        "watermarkProtection": {"isEnabledForVideo": true},
        "unheardOf": {"a": 1},
    }));
    assert_eq!(meeting.allowed_presenters, AllowedPresenters::Organization);
    assert_eq!(meeting.lobby_bypass.scope, LobbyBypassScope::Everyone);
    assert!(meeting.is_admitting_left_to_organizers && !meeting.is_entry_exit_announced);
    assert!(!meeting.lobby_bypass.is_dial_in_bypass_enabled);
    let body = shown(&meeting, Language::default(), false);
    assert_eq!(body["allowMeetingChat"], "limited");
    assert_eq!(body["allowRecording"], false);
    assert_eq!(body["allowWhiteboard"], true);
    assert_eq!(body["watermarkProtection"]["isEnabledForVideo"], true);
    assert_eq!(body["watermarkProtection"]["isEnabledForContentSharing"], false);
}

#[test]
fn attendees_have_the_role_that_they_are_given() {
    let meeting = made(&json!({"participants": {"attendees": [
        {"identity": {"user": {"id": "a"}}},
        {"upn": "b@c.example", "role": "Presenter"},
        {"identity": {"user": {"id": "d"}}, "role": "coorganizer", "upn": null},
    ]}}));
    let roles: Vec<_> = meeting.attendees.iter().map(|attendee| attendee.role).collect();
    assert_eq!(roles, [MeetingRole::Attendee, MeetingRole::Presenter, MeetingRole::Coorganizer]);
    let body = decode(&json!({"participants": {"organizer": {"identity": {"user": {"id": "o"}}}}}));
    assert_eq!(body.unwrap().organizer, Some(UserId::from("o")));
}

#[test]
fn what_is_wrong_with_a_new_meeting_is_named_by_its_place() {
    let attendee = json!({"upn": "a@b.example"});
    for (body, place) in [
        (json!([]), "$: expected an object"),
        (json!({"@odata.type": "#microsoft.graph.call"}), "@odata.type"),
        (json!({"subject": 7}), "subject: expected a string"),
        (json!({"subject": "s".repeat(256)}), "subject: expected at most 255 characters"),
        (json!({"externalId": ""}), "externalId"),
        (json!({"externalId": "e".repeat(257)}), "externalId: expected at most 256 characters"),
        (json!({"startDateTime": "yesterday"}), "startDateTime: expected a date and time"),
        (json!({"startDateTime": 1}), "startDateTime"),
        (json!({"startDateTime": "1969-12-31T23:59:59Z"}), "startDateTime: expected a time between"),
        (json!({"startDateTime": "3000-01-01T00:00:00Z"}), "startDateTime: expected a time between"),
        (json!({"endDateTime": "2027-03-01T10:00:00Z"}), "startDateTime: expected a value"),
        (
            json!({"startDateTime": "2027-03-01T10:00:01Z", "endDateTime": "2027-03-01T10:00:00Z"}),
            "endDateTime: expected a time that is not before",
        ),
        (json!({"participants": []}), "participants: expected an object"),
        (json!({"participants": {"attendees": {}}}), "participants.attendees: expected an array"),
        (json!({"participants": {"attendees": [attendee, {}]}}), "participants.attendees[1]"),
        (
            json!({"participants": {"attendees": [{"upn": "a", "role": "king"}]}}),
            "participants.attendees[0].role: expected one of attendee",
        ),
        (
            json!({"participants": {"attendees": vec![attendee.clone(); 1001]}}),
            "participants.attendees: expected at most 1000 items",
        ),
        (
            json!({"joinMeetingIdSettings": {"isPasscodeRequired": true, "passcode": "mine"}}),
            "joinMeetingIdSettings.passcode: expected no value",
        ),
        (json!({"lobbyBypassSettings": {"scope": "nobody"}}), "lobbyBypassSettings.scope: expected one of"),
        (json!({"lobbyBypassSettings": {"scope": "unknownFutureValue"}}), "lobbyBypassSettings.scope"),
        (json!({"allowedPresenters": true}), "allowedPresenters"),
        (json!({"allowMeetingChat": "often"}), "allowMeetingChat: expected one of enabled"),
        (json!({"watermarkProtection": {"isEnabledForVideo": 1}}), "watermarkProtection.isEnabledForVideo"),
        (json!({"chatInfo": {"threadId": 1}}), "chatInfo.threadId"),
    ] {
        let error = decode(&body).unwrap_err();
        assert_eq!((error.status, error.code), (400, "BadRequest"), "{body}");
        assert!(error.message.starts_with(place), "{place}: {}", error.message);
    }
}

#[test]
fn what_the_api_knows_and_nobody_serves_is_said() {
    for name in ["isBroadcast", "isEndToEndEncryptionEnabled"] {
        assert_eq!(decode(&json!({ name: true })).unwrap_err().status, 501, "{name}");
        assert!(decode(&json!({ name: false })).is_ok(), "{name}");
        assert!(changed(&json!({ name: true })).is_err(), "{name}");
    }
}

#[test]
fn every_declared_member_of_a_meeting_is_read_unless_the_server_writes_it() {
    const READ_ONLY: [&str; 8] = [
        "audioConferencing",
        "creationDateTime",
        "expiryDateTime",
        "id",
        "joinInformation",
        "joinWebUrl",
        "meetingType",
        "videoTeleconferenceId",
    ];
    let document = graph_wire::openapi::document("https://graph.example/v1.0");
    for type_name in ["onlineMeetingBase", "onlineMeeting"] {
        let schema = &document["components"]["schemas"][format!("microsoft.graph.{type_name}")];
        for name in schema["allOf"][1]["properties"].as_object().unwrap().keys() {
            if name.starts_with('@') || READ_ONLY.contains(&name.as_str()) {
                continue;
            }
            for value in [json!(1.5), json!([[1.5]])] {
                let error = decode(&json!({ name: value })).unwrap_err();
                assert!(error.message.starts_with(name), "{name}: {}", error.message);
            }
        }
    }
}

#[test]
fn create_or_get_needs_its_key() {
    let decode = |body: Value| {
        CreateMeeting::decode_create_or_get(body.to_string().as_bytes(), &Limits::default())
            .map(|request| request.external_id)
            .map_err(|error| error.to_string())
    };
    assert_eq!(decode(json!({"externalId": "mine"})), Ok(Some("mine".to_owned())));
    for body in [json!({}), json!({"externalId": null}), json!({"externalId": ""}), json!({"externalId": 7})]
    {
        assert!(decode(body.clone()).unwrap_err().starts_with("externalId"), "{body}");
    }
}

#[test]
fn a_patch_changes_what_it_says_and_nothing_else() {
    let body = json!({
        "startDateTime": "2027-03-01T10:00:00Z",
        "endDateTime": "2027-03-01T11:00:00Z",
        "subject": "Another",
        "lobbyBypassSettings": {"isDialInBypassEnabled": true},
        "participants": {"attendees": []},
        "allowRecording": false,
    });
    let before = OnlineMeeting {
        attendees: made(&json!({"participants": {"attendees": [{"upn": "a@b.c"}]}})).attendees,
        ..meeting()
    };
    let update = UpdateMeeting::decode(body.to_string().as_bytes(), &Limits::default()).unwrap();
    let after = update.apply(&before).unwrap();
    assert_eq!(after.subject.as_deref(), Some("Another"));
    assert!(after.attendees.is_empty());
    assert!(after.lobby_bypass.is_dial_in_bypass_enabled);
    assert_eq!(after.lobby_bypass.scope, before.lobby_bypass.scope);
    assert_eq!(after.options["allowRecording"], MeetingOption::Switch(false));
    assert_eq!(after.ends_at.since(after.starts_at).as_secs(), 3600);
    assert_eq!(changed(&json!({})), Ok(meeting()));
    assert_eq!(changed(&json!({"participants": {}})).unwrap().attendees, meeting().attendees);
}

#[test]
fn what_was_read_may_be_sent_back_whole() {
    let body = shown(&meeting(), Language::default(), true);
    assert_eq!(changed(&body), Ok(meeting()));
}

#[test]
fn what_is_fixed_when_a_meeting_is_made_cannot_be_patched() {
    for (body, place) in [
        (json!({"startDateTime": "2027-03-01T10:00:00Z"}), "endDateTime"),
        (json!({"endDateTime": "2027-03-01T10:00:00Z"}), "startDateTime"),
        (
            json!({"startDateTime": "2027-03-01T10:00:01Z", "endDateTime": "2027-03-01T10:00:00Z"}),
            "endDateTime",
        ),
        (
            json!({"participants": {"organizer": {"identity": {"user": {"id": "someone else"}}}}}),
            "participants.organizer",
        ),
        (json!({"joinMeetingIdSettings": {"isPasscodeRequired": false}}), "joinMeetingIdSettings"),
        (json!({"joinMeetingIdSettings": {"passcode": "another"}}), "joinMeetingIdSettings"),
        (json!({"joinMeetingIdSettings": {"joinMeetingId": "1"}}), "joinMeetingIdSettings"),
        (json!({"allowParticipantsToChangeName": true}), "allowParticipantsToChangeName"),
        (json!({"shareMeetingChatHistoryDefault": "all"}), "shareMeetingChatHistoryDefault"),
    ] {
        let error = changed(&body).unwrap_err();
        assert!(error.starts_with(place), "{place}: {error}");
    }
}

#[test]
fn a_scope_that_older_clients_do_not_know_is_shown_to_those_that_ask() {
    let mut invited = meeting();
    invited.lobby_bypass.scope = LobbyBypassScope::Invited;
    let scope = |shows| shown(&invited, Language::default(), shows)["lobbyBypassSettings"]["scope"].clone();
    assert_eq!(scope(false), "unknownFutureValue");
    assert_eq!(scope(true), "invited");
}

#[test]
fn filters_are_read_as_clients_write_them() {
    for (query, expected) in [
        ("$filter=joinMeetingIdSettings/joinMeetingId%20eq%20'1234567890'", "1234567890"),
        ("%24filter=JoinMeetingIdSettings%2FJoinMeetingId+EQ+%271234567890%27", "1234567890"),
        ("$select=id&$FILTER=  joinmeetingidsettings/joinmeetingid  eq  '12 34'  &$top=1", "12 34"),
        ("filter=joinMeetingIdSettings/joinMeetingId eq '1''2'", "1'2"),
        ("$filter=joinMeetingIdSettings/joinMeetingId eq 42", "42"),
    ] {
        let read = MeetingFilter::from_query(query);
        assert_eq!(read, Ok(MeetingFilter::JoinMeetingId(expected.to_owned())), "{query}");
    }
    let number = MeetingFilter::from_query("$filter=VideoTeleconferenceId%20eq%20'123456789'");
    assert_eq!(number, Ok(MeetingFilter::VideoTeleconferenceId("123456789".to_owned())));
}

#[test]
fn any_other_filter_and_none_is_refused() {
    for query in [
        "",
        "$select=id",
        "$filter=",
        "$filter=subject eq 'x'",
        "$filter=joinWebUrl ne 'x'",
        "$filter=joinWebUrl eq x",
        "$filter=joinWebUrl eq 'x",
        "$filter=joinWebUrl eq 'x' and subject eq 'y'",
        "$filter=joinWebUrl",
        "$filter=joinMeetingId eq '1'",
    ] {
        let error = MeetingFilter::from_query(query).unwrap_err().to_string();
        assert!(error.starts_with("query option $filter: expected joinWebUrl eq"), "{query}: {error}");
    }
}

#[test]
fn a_join_address_is_found_however_often_it_was_encoded() {
    let url = join_web_url("https://teams.microsoft.com", &meeting());
    let encode = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let plain = percent(&url);
    for spelling in [
        url.clone(),
        plain,
        encode(&url),
        encode(&encode(&url)),
        url.replace("https://teams.microsoft.com", "http://127.0.0.1:8080"),
        url.replace("%3a", "%3A").replace("%7b", "%7B"),
        format!("{url}&anon=true"),
    ] {
        let read = JoinUrl::parse(&spelling).unwrap();
        assert!(read.is_of(&meeting()), "{spelling}: {read:?}");
    }
    // As a client's HTTP library sends the documented filter.
    let query = format!("$filter=JoinWebUrl%20eq%20'{}'", encode(&url));
    let MeetingFilter::JoinWebUrl(found) = MeetingFilter::from_query(&query).unwrap() else {
        panic!("{query}")
    };
    assert!(JoinUrl::parse(&found).unwrap().is_of(&meeting()));
}

/// Takes one percent-encoding away.
fn percent(text: &str) -> String {
    let pairs = format!("x={text}");
    let (_, value) = url::form_urlencoded::parse(pairs.as_bytes()).next().unwrap();
    value.into_owned()
}

#[test]
fn a_join_address_of_another_meeting_is_not_this_ones() {
    let of =
        |meeting: OnlineMeeting| JoinUrl::parse(&join_web_url("https://calls.example", &meeting)).unwrap();
    for other in [
        sample::meeting(NUMBERED_THREAD),
        OnlineMeeting { tenant: TenantId::from("another"), ..meeting() },
        OnlineMeeting { organizer: UserId::from("another"), ..meeting() },
    ] {
        assert!(!of(other).is_of(&meeting()));
    }
    assert!(of(OnlineMeeting { tenant: TenantId::from("A\"B"), ..meeting() }).tenant.as_str() == "A\"B");
    for text in [
        "",
        "https://calls.example/",
        "https://calls.example/l/meetup-join/",
        "https://calls.example/l/meetup-join/19:x/0",
        "https://calls.example/l/meetup-join/19:x/0?context=",
        "https://calls.example/l/meetup-join/19:x/0?context={}",
        "https://calls.example/l/meetup-join/19:x/0?context={\"Tid\":1,\"Oid\":2}",
        "/l/meetup-join/%ff/0?context={\"Tid\":\"a\",\"Oid\":\"b\"}",
    ] {
        assert_eq!(JoinUrl::parse(text), None, "{text}");
    }
}

#[test]
fn invitations_are_in_the_language_that_is_liked_best() {
    let text = |header: &str| {
        let body = shown(&meeting(), Language::accepted(header), false);
        percent(body["joinInformation"]["content"].as_str().unwrap())
    };
    for (header, expected) in [
        ("", "Join the meeting"),
        ("ja", "会議に参加する"),
        ("de-AT", "An der Besprechung teilnehmen"),
        ("fr;q=0.5, de;q=0.9", "An der Besprechung teilnehmen"),
        ("tlh, fr-CA, en;q=0.3", "Participer à la réunion"),
        ("tlh", "Join the meeting"),
        ("de;q=0", "Join the meeting"),
        ("*", "Join the meeting"),
        ("de;q=often, it", "Partecipa alla riunione"),
        (",,;;q=,\u{e9}", "Join the meeting"),
    ] {
        assert!(text(header).contains(expected), "{header}: {}", text(header));
    }
    let english = text("en-US");
    assert!(english.starts_with("data:text/html,"), "{english}");
    assert!(english.contains("1234567") && english.contains("psw123"), "{english}");
    assert!(english.contains("<a href=\"https://calls.example/l/meetup-join/19%3ameeting_"), "{english}");
}

proptest! {
    #[test]
    fn no_filter_makes_it_panic(text in "([a-zA-Z/$ =&%+']|eq|joinWebUrl|'[^']{0,5}'){0,30}") {
        let _ = MeetingFilter::from_query(&text);
        let _ = JoinUrl::parse(&text);
        let _ = Language::accepted(&text);
    }

    #[test]
    fn a_join_address_says_what_it_was_made_of(
        thread in "[a-zA-Z0-9:_@.-]{1,60}",
        tenant in "[^%+]{1,40}",
        organizer in "[^%+]{1,40}",
    ) {
        let meeting = OnlineMeeting {
            tenant: TenantId::new(tenant),
            organizer: UserId::new(organizer),
            ..sample::meeting(&thread)
        };
        let read = JoinUrl::parse(&join_web_url("https://calls.example", &meeting)).unwrap();
        prop_assert!(read.is_of(&meeting));
    }
}
