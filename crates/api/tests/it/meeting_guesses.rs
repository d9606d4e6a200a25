//! What it takes to join a meeting: its passcode, and not too many guesses; or a token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use identity::MeetingToken;
use model::{AppId, OnlineMeeting, Permission, TenantId};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{Answer, App, BOB, BOT, CALLS, CONTOSO, FABRIKAM, OTHER_BOT, peer_to_peer, refused};
use crate::online_meetings::{bob_makes, meetings_of};

/// A meeting of Bob's with a passcode, as it is kept.
async fn with_passcode(app: &App) -> OnlineMeeting {
    bob_makes(app, &json!({"joinMeetingIdSettings": {"isPasscodeRequired": true}})).await;
    app.store.meetings.lock().unwrap().last().unwrap().clone()
}

async fn join_as(app: &App, bot: &str, tenant: &str, meeting_info: Value) -> Answer {
    let token = app.token_of(bot, tenant, &[Permission::JOIN_GROUP_CALL]);
    let mut body = peer_to_peer();
    body["targets"] = json!([]);
    body["meetingInfo"] = meeting_info;
    app.post_as(&token, CALLS, &body).await
}

async fn join(app: &App, number: &str, passcode: Option<&str>) -> Answer {
    join_as(app, BOT, CONTOSO, json!({"joinMeetingId": number, "passcode": passcode})).await
}

#[tokio::test]
async fn a_passcode_has_to_be_said_and_to_be_right() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    let (number, passcode) = (meeting.join_meeting_id.as_str(), meeting.passcode.as_deref());
    for wrong in [None, Some(""), Some("psw123"), passcode.map(|own| &own[1..])] {
        assert_eq!(join(&app, number, wrong).await.error(), refused(403, "8561"), "{wrong:?}");
    }
    assert_eq!(join(&app, number, passcode).await.status, 201);
}

#[tokio::test]
async fn whoever_guesses_a_passcode_waits_longer_and_longer() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    let number = meeting.join_meeting_id.as_str();
    for _ in 0..5 {
        assert_eq!(join(&app, number, Some("wrong")).await.error(), refused(403, "8561"));
    }
    for seconds in [5, 10, 20] {
        for passcode in [Some("wrong"), meeting.passcode.as_deref()] {
            let answer = join(&app, number, passcode).await;
            assert_eq!(answer.status, 429, "not even the right one is looked at");
            assert_eq!(answer.header("retry-after"), seconds.to_string());
        }
        *app.clock.0.lock().unwrap() += Duration::from_secs(seconds);
        assert_eq!(join(&app, number, Some("wrong")).await.status, 403);
    }
    *app.clock.0.lock().unwrap() += Duration::from_secs(40);
    assert_eq!(join(&app, number, meeting.passcode.as_deref()).await.status, 201);
}

#[tokio::test]
async fn others_are_not_held_up_by_whoever_guesses() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    let number = meeting.join_meeting_id.as_str();
    for _ in 0..6 {
        join(&app, number, Some("wrong")).await;
    }
    assert_eq!(join(&app, number, None).await.status, 429);
    let right = json!({"joinMeetingId": number, "passcode": meeting.passcode});
    assert_eq!(join_as(&app, OTHER_BOT, CONTOSO, right).await.status, 201);
    let other = with_passcode(&app).await;
    assert_eq!(join(&app, &other.join_meeting_id, other.passcode.as_deref()).await.status, 201);
}

#[tokio::test]
async fn a_forgotten_passcode_is_no_guess() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    for _ in 0..20 {
        assert_eq!(join(&app, &meeting.join_meeting_id, None).await.status, 403);
    }
    assert_eq!(join(&app, &meeting.join_meeting_id, meeting.passcode.as_deref()).await.status, 201);
}

#[tokio::test]
async fn whoever_guesses_numbers_waits_wherever_they_are_asked_for() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    for number in 0..30 {
        assert_eq!(join(&app, &number.to_string(), None).await.error(), refused(404, "8561"));
    }
    assert_eq!(join(&app, &meeting.join_meeting_id, meeting.passcode.as_deref()).await.status, 429);
    let filter = "$filter=videoTeleconferenceId%20eq%20'1'";
    let token = app.token_of(BOT, CONTOSO, &[Permission::READ_MEETINGS]);
    let answer = app.get_as(&token, &format!("/v1.0/communications/onlineMeetings?{filter}")).await;
    assert_eq!(answer.error(), refused(429, "TooManyRequests"));
}

#[tokio::test]
async fn hundreds_of_guesses_at_once_are_no_more_than_a_few() {
    let app = Arc::new(App::new());
    let meeting = with_passcode(&app).await;
    // Each waits in the store until all others have come.
    app.store.slow_reads.store(true, Ordering::Relaxed);
    let mut guesses = JoinSet::new();
    for _ in 0..300 {
        let (app, number) = (Arc::clone(&app), meeting.join_meeting_id.clone());
        guesses.spawn(async move { join(&app, &number, Some("wrong")).await.status.as_u16() });
    }
    let answers = guesses.join_all().await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(403), count(429)), (5, 295));
    assert_eq!(join(&app, &meeting.join_meeting_id, meeting.passcode.as_deref()).await.status, 429);
}

#[tokio::test]
async fn whoever_may_join_nothing_guesses_nothing() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    let mut body = peer_to_peer();
    body["targets"] = json!([]);
    body["meetingInfo"] = json!({"joinMeetingId": meeting.join_meeting_id, "passcode": "wrong"});
    let token = app.token_of(BOT, CONTOSO, &[Permission::INITIATE]);
    app.store.meeting_reads.store(0, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(app.post_as(&token, CALLS, &body).await.error(), refused(403, "7504"));
    }
    assert_eq!(app.store.meeting_reads.load(Ordering::Relaxed), 0);
    assert_eq!(join(&app, &meeting.join_meeting_id, meeting.passcode.as_deref()).await.status, 201);
}

#[tokio::test]
async fn a_token_of_a_notification_joins_its_meeting() {
    let app = App::new();
    let meeting = with_passcode(&app).await;
    let token = |bot: &str, tenant: &str, thread: &str| {
        let meeting =
            MeetingToken { app: AppId::from(bot), tenant: TenantId::from(tenant), thread: thread.to_owned() };
        json!({"token": app.signer.meeting_token(&meeting, crate::app::NOW).unwrap()})
    };
    let right = token(BOT, CONTOSO, &meeting.thread_id);
    assert_eq!(join_as(&app, BOT, CONTOSO, right.clone()).await.status, 201);

    assert_eq!(join_as(&app, OTHER_BOT, CONTOSO, right.clone()).await.error(), refused(400, "8526"));
    assert_eq!(join_as(&app, BOT, FABRIKAM, right.clone()).await.error(), refused(403, "7505"));
    let unknown = token(BOT, CONTOSO, "19:meeting_gone@thread.v2");
    assert_eq!(join_as(&app, BOT, CONTOSO, unknown).await.error(), refused(404, "8561"));
    for forged in ["t".to_owned(), app.token(), String::new()] {
        let answer = join_as(&app, BOT, CONTOSO, json!({"token": forged})).await;
        assert_eq!(answer.error(), refused(400, "8526"));
    }
    *app.clock.0.lock().unwrap() += Duration::from_secs(24 * 3600);
    let late = app.signer.meeting_token(
        &MeetingToken { app: AppId::from(BOT), tenant: TenantId::from(CONTOSO), thread: meeting.thread_id },
        crate::app::NOW,
    );
    let read = app.signer.read_meeting_token(&late.unwrap(), api::Clock::now(&*app.clock));
    assert_eq!(read, Err(identity::MeetingTokenError::Expired));
}

#[tokio::test]
async fn a_meeting_is_joined_by_the_coordinates_that_it_shows() {
    let app = App::new();
    let shown = bob_makes(&app, &json!({"subject": "Sync"})).await;
    let token = app.token_of(BOT, CONTOSO, &[Permission::JOIN_GROUP_CALL]);
    let mut body = peer_to_peer();
    body["targets"] = json!([]);
    body["chatInfo"] = shown["chatInfo"].clone();
    body["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.organizerMeetingInfo",
        "organizer": shown["participants"]["organizer"]["identity"],
    });
    assert_eq!(app.post_as(&token, CALLS, &body).await.status, 201);

    let path = format!("{}/{}", meetings_of(BOB), shown["id"].as_str().unwrap());
    let writer = app.token_of(BOT, CONTOSO, &[Permission::WRITE_MEETINGS]);
    let delete = crate::app::request("DELETE", &path, &writer).body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.send(delete).await.status, 204);
    let answer = app.post_as(&token, CALLS, &body).await;
    assert_eq!(answer.error(), refused(404, "8561"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("onlineMeetings"));
}
