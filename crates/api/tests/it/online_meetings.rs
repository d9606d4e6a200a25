//! `/users/{id}/onlineMeetings` and `/communications/onlineMeetings`

use std::time::Duration;

use api::{AppLimits, Settings};
use axum::body::Body;
use model::{Permission, TenantId, Timestamp, UserId};
use serde_json::{Value, json};

use crate::app::{ANN, Answer, App, BASE, BOB, BOT, CONTOSO, JOHN, refused, request, settings};

pub(crate) const ALL: &str = "/v1.0/communications/onlineMeetings";

pub(crate) fn meetings_of(user: &str) -> String {
    format!("/v1.0/users/{user}/onlineMeetings")
}

fn writer(app: &App) -> String {
    app.token_of(BOT, CONTOSO, &[Permission::WRITE_MEETINGS])
}

/// Makes a meeting for Bob; returns what is shown of it.
pub(crate) async fn bob_makes(app: &App, body: &Value) -> Value {
    let answer = app.post_as(&writer(app), &meetings_of(BOB), body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

pub(crate) fn path_of(user: &str, meeting: &Value) -> String {
    format!("{}/{}", meetings_of(user), meeting["id"].as_str().unwrap())
}

pub(crate) async fn send(app: &App, method: &str, path: &str, body: &Value) -> Answer {
    let request = request(method, path, &writer(app)).header("content-type", "application/json");
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn patch(app: &App, meeting: &Value, body: &Value) -> Answer {
    send(app, "PATCH", &path_of(BOB, meeting), body).await
}

async fn get(app: &App, path: &str) -> Answer {
    app.get_as(&writer(app), path).await
}

pub(crate) fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_documented_request_makes_a_meeting() {
    let app = App::new();
    let answer = app
        .post_as(
            &writer(&app),
            &meetings_of(BOB),
            &json!({
                "startDateTime": "2027-02-12T14:30:34.2444915-07:00",
                "endDateTime": "2027-02-12T15:00:34.2464912-07:00",
                "subject": "User Token Meeting",
            }),
        )
        .await;

    assert_eq!(answer.status, 201);
    let body = answer.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{BASE}/v1.0/users/{BOB}/onlineMeetings/{id}"));
    assert_eq!(
        body["@odata.context"],
        format!("{BASE}/v1.0/$metadata#users('{BOB}')/onlineMeetings/$entity")
    );
    assert_eq!(body["startDateTime"], "2027-02-12T21:30:34.244Z");
    assert_eq!(body["creationDateTime"], "2027-01-15T08:00:00Z");
    let organizer = &body["participants"]["organizer"];
    assert_eq!(organizer["identity"]["user"]["displayName"], "Bob");
    assert_eq!(organizer["upn"], "bob@contoso.example");
    let thread = body["chatInfo"]["threadId"].as_str().unwrap();
    assert!(thread.starts_with("19:meeting_") && thread.ends_with("@thread.v2"), "{thread}");
    let encoded = thread.replace(':', "%3a").replace('@', "%40");
    let context = format!("%7b%22Tid%22%3a%22{CONTOSO}%22%2c%22Oid%22%3a%22{BOB}%22%7d");
    assert_eq!(body["joinWebUrl"], format!("{BASE}/l/meetup-join/{encoded}/0?context={context}"));
    let join = &body["joinMeetingIdSettings"];
    assert_eq!((&join["isPasscodeRequired"], &join["passcode"]), (&json!(false), &Value::Null));
    assert_eq!(join["joinMeetingId"].as_str().unwrap().len(), 10);
    let [kept] = app.store.meetings.lock().unwrap().clone().try_into().unwrap();
    assert_eq!((kept.tenant, kept.organizer), (TenantId::from(CONTOSO), UserId::from(BOB)));
}

#[tokio::test]
async fn join_links_have_the_host_that_is_set() {
    let app = App::with(Settings { join_base: Some("https://teams.microsoft.com".to_owned()), ..settings() });
    let meeting = bob_makes(&app, &json!({})).await;
    let url = meeting["joinWebUrl"].as_str().unwrap();
    assert!(url.starts_with("https://teams.microsoft.com/l/meetup-join/19%3ameeting_"), "{url}");
}

#[tokio::test]
async fn a_passcode_is_generated_where_it_is_required() {
    let app = App::new();
    let settings = |is_required: bool| json!({"joinMeetingIdSettings": {"isPasscodeRequired": is_required}});
    let with = bob_makes(&app, &settings(true)).await;
    let passcode = with["joinMeetingIdSettings"]["passcode"].as_str().unwrap();
    assert_eq!(passcode.len(), 8);
    let information = with["joinInformation"]["content"].as_str().unwrap();
    assert!(information.contains(passcode), "{information}");
    let without = bob_makes(&app, &settings(false)).await;
    assert_eq!(without["joinMeetingIdSettings"]["passcode"], Value::Null);
}

#[tokio::test]
async fn the_invitation_is_in_the_language_of_the_request() {
    let app = App::new();
    let make = |language: &str| {
        let request = request("POST", &meetings_of(BOB), &writer(&app)).header("accept-language", language);
        app.send(request.body(Body::from("{}")).unwrap())
    };
    let japanese = make("ja").await.json();
    let content = |meeting: &Value| {
        let content = meeting["joinInformation"]["content"].as_str().unwrap();
        percent_encoding::percent_decode_str(content).decode_utf8().unwrap().into_owned()
    };
    assert_eq!(japanese["joinInformation"]["contentType"], "html");
    assert!(content(&japanese).starts_with("data:text/html,"), "{}", content(&japanese));
    assert!(content(&japanese).contains("会議"), "{}", content(&japanese));
    assert!(content(&make("tlh").await.json()).contains("Join the meeting"));
    let number = japanese["joinMeetingIdSettings"]["joinMeetingId"].as_str().unwrap();
    assert!(content(&japanese).contains(number) && content(&japanese).contains("/l/meetup-join/"));
}

#[tokio::test]
async fn a_meeting_is_read_by_whoever_called_it_and_whoever_is_invited() {
    let app = App::new();
    let attendees = json!({"participants": {"attendees": [{"upn": "JOHN@contoso.example"}]}});
    let meeting = bob_makes(&app, &attendees).await;
    let attendee = &meeting["participants"]["attendees"][0];
    assert_eq!(attendee["identity"]["user"]["id"], JOHN, "the directory knows the name");
    assert_eq!(attendee["role"], "attendee");

    let read = get(&app, &path_of(BOB, &meeting)).await.json();
    assert_eq!(read, meeting);
    let invited = get(&app, &path_of(JOHN, &meeting)).await;
    assert_eq!(invited.status, 200);
    assert_eq!(
        invited.json()["@odata.context"],
        format!("{BASE}/v1.0/$metadata#users('{JOHN}')/onlineMeetings/$entity")
    );
    assert_eq!(get(&app, &path_of(ANN, &meeting)).await.error(), refused(404, "itemNotFound"));
    for (method, body) in [("PATCH", json!({"subject": "x"})), ("DELETE", json!({}))] {
        let answer = send(&app, method, &path_of(JOHN, &meeting), &body).await;
        assert_eq!(answer.error(), refused(403, "Forbidden"), "{method}");
    }
}

#[tokio::test]
async fn a_selection_is_shown_in_the_context() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"subject": "Sync"})).await;
    let read = get(&app, &format!("{}?$select=subject", path_of(BOB, &meeting))).await.json();
    assert_eq!(
        read,
        json!({
            "@odata.context": format!("{BASE}/v1.0/$metadata#users('{BOB}')/onlineMeetings(subject)/$entity"),
            "@odata.type": "#microsoft.graph.onlineMeeting",
            "subject": "Sync",
        })
    );
}

#[tokio::test]
async fn a_meeting_is_found_by_every_spelling_of_its_path() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let id = meeting["id"].as_str().unwrap();
    for path in [
        format!("/beta/users/{BOB}/onlineMeetings/{id}/"),
        format!("/v1.0/Users/{}/OnlineMeetings/{id}", BOB.to_uppercase()),
        format!("/v1.0/users('{BOB}')/onlineMeetings('{id}')"),
        format!("{ALL}/{id}"),
        format!("/v1.0/app/onlineMeetings/{id}?$select=id"),
    ] {
        let answer = get(&app, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["id"], id, "{path}");
    }
    assert_eq!(get(&app, &format!("{ALL}/{}", id.to_lowercase())).await.status, 404, "ids have a case");
}

#[tokio::test]
async fn filters_find_one_meeting_or_none() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"subject": "Sync"})).await;
    bob_makes(&app, &json!({"subject": "Another"})).await;
    let url = meeting["joinWebUrl"].as_str().unwrap();
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let number = meeting["joinMeetingIdSettings"]["joinMeetingId"].as_str().unwrap();
    let vtc = meeting["videoTeleconferenceId"].as_str().unwrap();
    for query in [
        format!("?$filter=JoinWebUrl%20eq%20'{}'", encode(url)),
        format!("/?$filter=joinWebUrl+eq+'{}'", encode(&encode(url))),
        format!("?$filter=JOINWEBURL%20eq%20'{url}'"),
        format!("?$filter=joinMeetingIdSettings/joinMeetingId%20eq%20'{number}'"),
        format!("?%24filter=joinMeetingIdSettings%2FJoinMeetingId%20eq%20%27{number}%27"),
        format!("/?$filter=VideoTeleconferenceId%20eq%20'{vtc}'"),
    ] {
        for base in [meetings_of(BOB), ALL.to_owned()] {
            let answer = get(&app, &format!("{base}{query}")).await;
            assert_eq!(answer.status, 200, "{base}{query}: {answer:?}");
            let [found] = answer.json()["value"].as_array().unwrap().clone().try_into().unwrap();
            assert_eq!(found["subject"], "Sync", "{base}{query}");
        }
        let answer = get(&app, &format!("{}{query}", meetings_of(JOHN))).await;
        assert_eq!(answer.json()["value"], json!([]), "who is not invited does not find it: {query}");
    }
    let none = get(&app, &format!("{ALL}?$filter=joinWebUrl%20eq%20'https://x/y'&$select=id")).await.json();
    assert_eq!(
        none,
        json!({
            "@odata.context": format!("{BASE}/v1.0/$metadata#communications/onlineMeetings(id)"),
            "value": [],
        })
    );
}

#[tokio::test]
async fn meetings_are_not_listed_without_a_filter() {
    let app = App::new();
    for query in ["", "?$top=5", "?$filter=subject%20eq%20'Sync'", "?$filter=joinWebUrl%20eq%20'"] {
        let answer = get(&app, &format!("{}{query}", meetings_of(BOB))).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{query}");
        assert!(message(&answer).contains("$filter"), "{}", message(&answer));
    }
}

#[tokio::test]
async fn create_or_get_makes_one_meeting_of_an_external_id() {
    let app = App::new();
    let path = format!("{}/createOrGet", meetings_of(BOB));
    let body = json!({
        "externalId": "7eb8263f-d0e0-4149-bb1c-1f0476083c56",
        "startDateTime": "2027-02-06T01:49:21.3524945+00:00",
        "participants": {"attendees": [{
            "identity": {"user": {"id": "1f35f2e6-9cab-44ad-8d5a-b74c14720000"}},
            "role": "presenter",
            "upn": "test1@contoso.com",
        }]},
        "subject": "Create a meeting with customId provided",
        "chatInfo": {"threadId": "ignored"},
    });
    let token = writer(&app);
    let (first, second, third) = tokio::join!(
        app.post_as(&token, &path, &body),
        app.post_as(&token, &path, &body),
        app.post_as(&token, &path, &body),
    );
    let mut statuses = [first.status, second.status, third.status].map(|status| status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 201]);
    assert_eq!(first.json(), second.json());
    assert_eq!(first.json()["externalId"], body["externalId"]);
    assert_eq!(first.json()["endDateTime"], "2027-02-06T02:49:21.352Z");
    assert_eq!(app.store.meetings.lock().unwrap().len(), 1);

    let of_john = app.post_as(&token, &format!("{}/createOrGet", meetings_of(JOHN)), &body).await;
    assert_eq!(of_john.status, 201, "the key belongs to the user");
    let qualified = format!("/beta/users/{BOB}/onlineMeetings/microsoft.graph.createOrGet");
    assert_eq!(app.post_as(&token, &qualified, &body).await.status, 200);
}

#[tokio::test]
async fn create_or_get_refuses_times_that_do_not_fit_and_a_missing_key() {
    let app = App::new();
    for (body, place) in [
        (json!({}), "externalId"),
        (json!({"externalId": "a", "endDateTime": "2027-02-06T02:00:00Z"}), "startDateTime"),
        (
            json!({"externalId": "a", "startDateTime": "2027-02-06T02:00:00Z",
                "endDateTime": "2027-02-06T01:00:00Z"}),
            "endDateTime",
        ),
    ] {
        let answer = send(&app, "POST", &format!("{}/createOrGet", meetings_of(BOB)), &body).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{body}");
        assert!(message(&answer).starts_with(place), "{body}: {}", message(&answer));
    }
}

#[tokio::test]
async fn a_patch_changes_the_meeting_and_whoever_is_in_it_is_told() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"subject": "Sync"})).await;
    let answer = patch(
        &app,
        &meeting,
        &json!({
            "startDateTime": "2027-09-09T14:33:30.8546353-07:00",
            "endDateTime": "2027-09-09T15:03:30.8566356-07:00",
            "subject": "Patch Meeting Subject",
            "lobbyBypassSettings": {"isDialInBypassEnabled": true, "scope": "everyone"},
            "participants": {"attendees": [{"identity": {"user": {"id": JOHN.to_uppercase()}}}]},
        }),
    )
    .await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["subject"], "Patch Meeting Subject");
    assert_eq!(body["startDateTime"], "2027-09-09T21:33:30.854Z");
    assert_eq!(body["lobbyBypassSettings"]["scope"], "everyone");
    assert_eq!(body["participants"]["attendees"][0]["identity"]["user"]["id"], JOHN);
    assert_eq!(body["joinWebUrl"], meeting["joinWebUrl"]);
    assert_eq!(get(&app, &path_of(BOB, &meeting)).await.json(), body);
    let told = app.calls.changed_meetings.lock().unwrap().clone();
    assert_eq!(told, *app.store.meetings.lock().unwrap());
    assert_eq!(told[0].revision, 1);
}

#[tokio::test]
async fn a_patch_that_changes_nothing_tells_nobody() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"subject": "Sync"})).await;
    assert_eq!(patch(&app, &meeting, &meeting).await.json(), meeting);
    assert_eq!(patch(&app, &meeting, &json!({})).await.json(), meeting);
    assert!(app.calls.changed_meetings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_patch_starts_from_what_others_have_changed_meanwhile() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"subject": "Sync"})).await;
    *app.store.late_changes.lock().unwrap() = 2;
    let body = patch(&app, &meeting, &json!({"allowRecording": false})).await.json();
    assert_eq!((&body["subject"], &body["allowRecording"]), (&json!("renamed 2"), &json!(false)));
    *app.store.late_changes.lock().unwrap() = 100;
    let answer = patch(&app, &meeting, &json!({"allowRecording": true})).await;
    assert_eq!(answer.error(), refused(409, "8519"));
}

#[tokio::test]
async fn what_cannot_be_patched_is_refused_by_its_place() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"joinMeetingIdSettings": {"isPasscodeRequired": true}})).await;
    for (body, place) in [
        (json!({"startDateTime": "2027-09-09T14:00:00Z"}), "endDateTime"),
        (json!({"endDateTime": "2027-09-09T14:00:00Z"}), "startDateTime"),
        (
            json!({"participants": {"organizer": {"identity": {"user": {"id": JOHN}}}}}),
            "participants.organizer",
        ),
        (json!({"joinMeetingIdSettings": {"isPasscodeRequired": false}}), "joinMeetingIdSettings"),
        (json!({"subject": ["x"]}), "subject"),
        (
            json!({"participants": {"attendees": [{"upn": "stranger@x.example", "role": "presenter"}]}}),
            "participants.attendees[0].role",
        ),
    ] {
        let answer = patch(&app, &meeting, &body).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{body}");
        assert!(message(&answer).starts_with(place), "{body}: {}", message(&answer));
    }
    assert_eq!(get(&app, &path_of(BOB, &meeting)).await.json(), meeting);
}

#[tokio::test]
async fn a_deleted_meeting_is_gone() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let path = path_of(BOB, &meeting);
    let answer = send(&app, "DELETE", &path, &json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    for method in ["DELETE", "GET"] {
        let answer = send(&app, method, &path, &json!({})).await;
        assert_eq!(answer.error(), refused(404, "itemNotFound"), "{method}");
    }
    assert_eq!(patch(&app, &meeting, &json!({"subject": "x"})).await.error(), refused(404, "itemNotFound"));
}

#[tokio::test]
async fn below_communications_the_organizer_is_named_in_the_body() {
    let app = App::new();
    let organizer = |id: &str| json!({"participants": {"organizer": {"identity": {"user": {"id": id}}}}});
    let answer = send(&app, "POST", ALL, &organizer(&BOB.to_uppercase())).await;
    assert_eq!(answer.status, 201);
    let meeting = answer.json();
    let path = format!("{ALL}/{}", meeting["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), format!("{BASE}{path}"));
    assert_eq!(
        meeting["@odata.context"],
        format!("{BASE}/v1.0/$metadata#communications/onlineMeetings/$entity")
    );
    assert_eq!(meeting["participants"]["organizer"]["identity"]["user"]["id"], BOB);
    assert_eq!(send(&app, "PATCH", &path, &json!({"subject": "x"})).await.json()["subject"], "x");
    assert_eq!(send(&app, "DELETE", &path, &json!({})).await.status, 204);

    let nobody = send(&app, "POST", ALL, &json!({})).await;
    assert_eq!(nobody.error(), refused(400, "BadRequest"));
    assert!(message(&nobody).starts_with("participants.organizer"), "{}", message(&nobody));
    let other = send(&app, "POST", &meetings_of(BOB), &organizer(JOHN)).await;
    assert_eq!(other.error(), refused(400, "BadRequest"));
}

#[tokio::test]
async fn a_user_that_the_tenant_does_not_have_calls_no_meeting() {
    let app = App::new();
    for user in ["nobody", ANN, "bob@contoso.example"] {
        let answer = send(&app, "POST", &meetings_of(user), &json!({})).await;
        assert_eq!(answer.error(), refused(404, "itemNotFound"), "{user}");
    }
    assert!(app.store.meetings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_persons_quota_of_a_month_is_held() {
    let app_limits = AppLimits { meetings_per_user: 2, ..AppLimits::default() };
    let app = App::with(Settings { app_limits, ..settings() });
    for _ in 0..2 {
        bob_makes(&app, &json!({})).await;
    }
    let answer = send(&app, "POST", &meetings_of(BOB), &json!({})).await;
    assert_eq!(answer.error(), refused(429, "TooManyRequests"));
    // From the fifteenth, eight in the morning, to the end of January.
    assert_eq!(answer.header("retry-after"), (16 * 24 * 3600 + 16 * 3600).to_string());
    assert_eq!(send(&app, "POST", &meetings_of(JOHN), &json!({})).await.status, 201);
}

#[tokio::test]
async fn ids_that_are_anothers_are_made_anew() {
    let app = App::new();
    *app.store.taken_ids.lock().unwrap() = 3;
    bob_makes(&app, &json!({})).await;
    *app.store.taken_ids.lock().unwrap() = 100;
    let answer = send(&app, "POST", &meetings_of(BOB), &json!({})).await;
    assert_eq!(answer.error(), refused(500, "GeneralException"));
}

#[tokio::test]
async fn what_is_kept_for_a_while_says_until_when() {
    let keep_ended_meetings = Some(Duration::from_secs(24 * 3600));
    let app = App::with(Settings { keep_ended_meetings, ..settings() });
    let meeting = bob_makes(&app, &json!({"startDateTime": "2027-02-06T01:00:00Z"})).await;
    assert_eq!(meeting["expiryDateTime"], "2027-02-07T02:00:00Z");
    let forever = bob_makes(&App::new(), &json!({})).await;
    assert_eq!(forever["expiryDateTime"], Value::Null);
}

#[tokio::test]
async fn words_that_came_later_are_shown_to_those_that_prefer_them() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({"lobbyBypassSettings": {"scope": "invited"}})).await;
    assert_eq!(meeting["lobbyBypassSettings"]["scope"], "unknownFutureValue");
    let request = request("GET", &path_of(BOB, &meeting), &writer(&app))
        .header("prefer", "include-unknown-enum-members");
    let read = app.send(request.body(Body::empty()).unwrap()).await.json();
    assert_eq!(read["lobbyBypassSettings"]["scope"], "invited");
}

#[tokio::test]
async fn bad_bodies_are_refused_and_make_nothing() {
    let app = App::new();
    let send = |body: &str, content_type: &str| {
        let request = request("POST", &meetings_of(BOB), &writer(&app)).header("content-type", content_type);
        app.send(request.body(Body::from(body.to_owned())).unwrap())
    };
    for (body, content_type, expected) in [
        ("", "application/json", refused(400, "BadRequest")),
        ("{", "application/json", refused(400, "BadRequest")),
        ("[]", "application/json", refused(400, "BadRequest")),
        ("{\"subject\": 1}", "application/json", refused(400, "BadRequest")),
        ("{\"isBroadcast\": true}", "application/json", refused(501, "8520")),
        ("{}", "text/plain", refused(415, "invalidRequest")),
    ] {
        assert_eq!(send(body, content_type).await.error(), expected, "{body} {content_type}");
    }
    assert_eq!(send("{\"subject\": \"trailing comma\",}", "application/json").await.status, 201);
    assert_eq!(app.store.meetings.lock().unwrap().len(), 1);
    assert_eq!(app.store.meetings.lock().unwrap()[0].created_at, Timestamp::from_millis(1_800_000_000_000));
}
