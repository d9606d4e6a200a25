//! Meetings as they are kept: made once, still there after a kill, and changed while somebody is in them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde_json::{Value, json};
use testkit::{App, Bot, Options, Reply, User};
use tokio::task::JoinSet;

use crate::support::Stage;

/// Requests that race for one external id.
const RACERS: usize = 24;

fn meetings_of(user: User) -> String {
    format!("/v1.0/users/{}/onlineMeetings", user.id)
}

pub(crate) async fn patch(bot: &Bot, path: &str, body: &Value) -> Reply {
    let request = Request::builder().method(Method::PATCH).uri(path);
    let mut request = request.body(Bytes::from(body.to_string())).expect("a path is an address");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    bot.send(request).await
}

#[tokio::test]
async fn many_that_create_or_get_at_once_make_one_meeting_which_outlives_a_kill() {
    let mut stage = Stage::new().await;
    let path = format!("{}/createOrGet", meetings_of(User::JOHN));
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let bot = Bot::with_token(&stage.server, stage.bot.token());
        let (path, body) = (path.clone(), json!({"externalId": "race", "subject": format!("of {number}")}));
        racers.spawn(async move { bot.post(&path, &body).await });
    }
    let replies = racers.join_all().await;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), RACERS - 1, "{statuses:?}");
    let made = replies[0].json();
    assert!(replies.iter().all(|reply| reply.json() == made), "all got the same");

    stage.server.kill();
    stage.server.restart().await;
    let bot = Bot::of(&stage.server).await;
    let id = made["id"].as_str().expect("an id");
    let read = bot.get(&format!("{}/{id}", meetings_of(User::JOHN))).await.expect(200).json();
    // The address may be another one since.
    assert_eq!((&read["subject"], &read["chatInfo"]), (&made["subject"], &made["chatInfo"]));
    let again = bot.post(&path, &json!({"externalId": "race"})).await.expect(200).json();
    assert_eq!(again["id"], id);
}

#[tokio::test]
async fn the_documented_meetings_are_found_in_both_tenants() {
    let stage = Stage::new().await;
    for tenant in [App::CONTOSO, App::FABRIKAM] {
        for app in [App::CALLING_BOT, App::TEST_BOT] {
            let bot = Bot::signed_in(&stage.server, app, tenant).await;
            let filter = "$filter=joinMeetingIdSettings/joinMeetingId%20eq%20'1234567'";
            let path = format!("{}?{filter}", meetings_of(User::BOB));
            let found = bot.get(&path).await.expect(200).json();
            let meeting = &found["value"][0];
            assert_eq!(meeting["joinMeetingIdSettings"]["passcode"], "psw123", "{found}");
            assert_eq!(meeting["participants"]["organizer"]["identity"]["user"]["displayName"], "Bob");
            let url = meeting["joinWebUrl"].as_str().expect("an address");
            assert!(url.contains(tenant), "{url}");

            let by_video =
                "/v1.0/communications/onlineMeetings/?$filter=VideoTeleconferenceId%20eq%20'123456789'";
            assert_eq!(bot.get(by_video).await.expect(200).json()["value"][0]["subject"], "Weekly sync");
            let by_url = format!("{}/?$filter=JoinWebUrl%20eq%20'{url}'", meetings_of(User::BOB));
            assert_eq!(bot.get(&by_url).await.expect(200).json()["value"][0]["id"], meeting["id"]);
        }
    }
}

#[tokio::test]
async fn an_application_without_rights_sees_and_makes_no_meeting() {
    let stage = Stage::new().await;
    let bot = Bot::signed_in(&stage.server, App::NO_RIGHTS, App::CONTOSO).await;
    for path in [meetings_of(User::BOB), "/v1.0/communications/onlineMeetings".to_owned()] {
        assert_eq!(bot.post(&path, &json!({})).await.expect(403).error_code(), "7504", "{path}");
        assert_eq!(bot.get(&path).await.expect(403).error_code(), "7504", "{path}");
    }
}

#[tokio::test]
async fn a_meeting_that_is_opened_lets_in_whoever_waits() {
    let stage = Stage::new().await;
    let body = json!({"lobbyBypassSettings": {"scope": "organizer"}});
    let meeting = stage.bot.post(&meetings_of(User::JOHN), &body).await.expect(201).json();
    let number = &meeting["joinMeetingIdSettings"]["joinMeetingId"];
    let request = stage.request(User::JOHN).with("targets", Value::Null);
    let request = request.with("meetingInfo", json!({"joinMeetingId": number}));
    let call = stage.bot.call(&request).await;
    stage.webhook.expect_state(&call, "establishing").await;

    let path = format!("{}/{}", meetings_of(User::JOHN), meeting["id"].as_str().expect("an id"));
    let opened = json!({"lobbyBypassSettings": {"scope": "everyone"}});
    let changed = patch(&stage.bot, &path, &opened).await.expect(200).json();
    assert_eq!(changed["lobbyBypassSettings"]["scope"], "everyone");
    stage.webhook.expect_state(&call, "established").await;
    let is_in = |those: &[Value]| those.len() == 1 && those[0]["isInLobby"] == false;
    stage.webhook.expect_roster(&call, "the application, let in", is_in).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn the_quota_and_the_address_of_join_links_are_settings() {
    let options = Options::new()
        .with("limits.meetings_per_user", 1)
        .with("meetings.join_url", "https://teams.microsoft.com/");
    let stage = Stage::with(options).await;
    let meeting = stage.bot.post(&meetings_of(User::JOHN), &json!({})).await.expect(201).json();
    let url = meeting["joinWebUrl"].as_str().expect("an address");
    assert!(url.starts_with("https://teams.microsoft.com/l/meetup-join/19%3ameeting_"), "{url}");
    let refused = stage.bot.post(&meetings_of(User::JOHN), &json!({})).await.expect(429);
    assert_eq!(refused.error_code(), "TooManyRequests");
}
