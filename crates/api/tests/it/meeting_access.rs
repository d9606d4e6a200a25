//! Who may make, see and change meetings.

use axum::body::Body;
use http::Request;
use model::{OnlineMeeting, Permission, TenantId};
use serde_json::{Value, json};

use crate::app::{ANN, App, BOB, BOT, CONTOSO, FABRIKAM, JOHN, NOT_CALLING, OTHER_BOT, refused, request};
use crate::online_meetings::{ALL, bob_makes, meetings_of, message, path_of, send};

#[tokio::test]
async fn the_permission_is_checked_before_anything_else() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let path = path_of(BOB, &meeting);
    let reader = app.token_of(BOT, CONTOSO, &[Permission::READ_MEETINGS]);
    let none = app.token_of(BOT, CONTOSO, &[Permission::INITIATE]);
    assert_eq!(app.get_as(&reader, &path).await.status, 200);
    for (method, path) in [
        ("POST", meetings_of(BOB)),
        ("POST", format!("{}/createOrGet", meetings_of(BOB))),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
    ] {
        let ask = |token: &str| request(method, &path, token).body(Body::from("nonsense")).unwrap();
        assert_eq!(app.send(ask(&reader)).await.error(), refused(403, "7504"), "{method} {path}");
        assert_eq!(app.send(ask(&none)).await.error(), refused(403, "7504"), "{method} {path}");
    }
    for path in [&path, &meetings_of(BOB), ALL] {
        assert_eq!(app.get_as(&none, path).await.error(), refused(403, "7504"), "{path}");
    }
}

#[tokio::test]
async fn without_a_policy_for_the_user_an_application_does_nothing() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let path = path_of(BOB, &meeting);
    // This one may act for John only.
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::WRITE_MEETINGS]);
    for (method, path) in [
        ("POST", meetings_of(BOB)),
        ("POST", format!("{}/createOrGet", meetings_of(BOB))),
        ("GET", format!("{}?$filter=joinMeetingIdSettings/joinMeetingId%20eq%20'1'", meetings_of(BOB))),
        ("GET", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("GET", path_of("nobody", &meeting)),
    ] {
        let answer = app.send(request(method, &path, &token).body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.error(), refused(403, "Unauthorized"), "{method} {path}");
        assert!(message(&answer).contains(OTHER_BOT), "{}", message(&answer));
    }
    assert_eq!(app.post_as(&token, &meetings_of(JOHN), &json!({})).await.status, 201);
    let all = format!("{ALL}/{}", meeting["id"].as_str().unwrap());
    assert_eq!(app.get_as(&token, &all).await.error(), refused(404, "itemNotFound"));
    let organizer = json!({"participants": {"organizer": {"identity": {"user": {"id": BOB}}}}});
    assert_eq!(app.post_as(&token, ALL, &organizer).await.error(), refused(403, "Unauthorized"));
}

#[tokio::test]
async fn the_number_for_video_systems_needs_no_policy() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::READ_MEETINGS]);
    let vtc = meeting["videoTeleconferenceId"].as_str().unwrap();
    let query = format!("?$filter=VideoTeleconferenceId%20eq%20'{vtc}'");
    let found = app.get_as(&token, &format!("{ALL}/{query}")).await.json();
    assert_eq!(found["value"][0]["id"], meeting["id"]);
    let below_user = app.get_as(&token, &format!("{}{query}", meetings_of(BOB))).await;
    assert_eq!(below_user.error(), refused(403, "Unauthorized"));
}

#[tokio::test]
async fn another_tenant_sees_nothing_of_a_meeting() {
    let app = App::new();
    let meeting = bob_makes(&app, &json!({})).await;
    let token = app.token_of(BOT, FABRIKAM, &[Permission::WRITE_MEETINGS]);
    for user in [BOB, ANN] {
        let path = path_of(user, &meeting);
        assert_eq!(app.get_as(&token, &path).await.error(), refused(404, "itemNotFound"));
        let delete = request("DELETE", &path, &token).body(Body::empty()).unwrap();
        assert_eq!(app.send(delete).await.error(), refused(404, "itemNotFound"));
    }
    let url = meeting["joinWebUrl"].as_str().unwrap();
    let vtc = meeting["videoTeleconferenceId"].as_str().unwrap();
    for filter in [format!("joinWebUrl%20eq%20'{url}'"), format!("videoTeleconferenceId%20eq%20'{vtc}'")] {
        let found = app.get_as(&token, &format!("{ALL}?$filter={filter}")).await.json();
        assert_eq!(found["value"], json!([]), "{filter}");
    }
    assert_eq!(
        app.post_as(&token, &meetings_of(BOB), &json!({})).await.error(),
        refused(404, "itemNotFound")
    );
}

#[tokio::test]
async fn a_meeting_of_a_file_whose_organizer_is_of_another_tenant_is_read_by_its_name() {
    let app = App::new();
    bob_makes(&app, &json!({"subject": "Weekly sync"})).await;
    let mut copy: OnlineMeeting = app.store.meetings.lock().unwrap()[0].clone();
    copy.tenant = TenantId::from(FABRIKAM);
    app.store.meetings.lock().unwrap().push(copy.clone());
    let token = app.token_of(BOT, FABRIKAM, &[Permission::READ_MEETINGS]);
    let body = app.get_as(&token, &format!("{}/{}", meetings_of(BOB), copy.id)).await.json();
    assert_eq!(body["subject"], "Weekly sync");
    assert!(body["joinWebUrl"].as_str().unwrap().contains(FABRIKAM));
    assert_eq!(body["participants"]["organizer"]["upn"], Value::Null);
}

#[tokio::test]
async fn an_application_that_may_not_call_makes_meetings() {
    let app = App::new();
    let token = app.token_of(NOT_CALLING, CONTOSO, &[Permission::WRITE_MEETINGS]);
    assert_eq!(app.post_as(&token, &meetings_of(BOB), &json!({})).await.status, 201);
    let unknown = app.token_of("unknown", CONTOSO, &[Permission::WRITE_MEETINGS]);
    assert_eq!(app.post_as(&unknown, &meetings_of(BOB), &json!({})).await.error(), refused(403, "7503"));
}

#[tokio::test]
async fn me_is_not_for_applications() {
    let app = App::new();
    for (method, path) in [
        ("GET", "/v1.0/me/onlineMeetings?$filter=x"),
        ("POST", "/v1.0/me/onlineMeetings"),
        ("POST", "/beta/me/onlineMeetings/createOrGet"),
        ("PATCH", "/v1.0/me/onlineMeetings('x')"),
        ("DELETE", "/v1.0/me/onlineMeetings/x"),
    ] {
        let answer = send(&app, method, path, &json!({})).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{method} {path}");
        assert!(message(&answer).contains("/users/{id}"), "{}", message(&answer));
    }
    let nobody = Request::builder().uri("/v1.0/me/onlineMeetings").body(Body::empty()).unwrap();
    assert_eq!(app.send(nobody).await.error(), refused(401, "InvalidAuthenticationToken"));
}
