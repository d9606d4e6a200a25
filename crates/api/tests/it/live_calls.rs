//! Calls that are there: reading and ending them, their actions and operations.

use api::CallFault;
use axum::body::Body;
use call_engine::{Command, Rejection};
use model::Permission;
use serde_json::{Value, json};

use crate::app::{App, BASE, BOT, CALLS, CONTOSO, FABRIKAM, OTHER_BOT, refused, request};

fn prompt() -> Value {
    json!({
        "clientContext": "mine",
        "prompts": [{
            "@odata.type": "#microsoft.graph.mediaPrompt",
            "mediaInfo": { "uri": "https://cdn.contoso.com/beep.wav", "resourceId": "1D6DE2D4" },
        }],
    })
}

/// Each action with a body that it takes, and whether it needs `Calls.AccessMedia.All`.
fn actions() -> Vec<(&'static str, Value, bool)> {
    vec![
        ("playPrompt", prompt(), false),
        ("recordResponse", json!({ "stopTones": ["#"] }), true),
        ("subscribeToTone", json!({}), true),
        ("sendDtmfTones", json!({ "tones": ["tone1", "pound"] }), true),
        ("cancelMediaProcessing", json!({}), false),
    ]
}

#[tokio::test]
async fn a_call_is_shown() {
    let app = App::new();
    let call = app.call().await;
    let answer = app.get(&call).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["@odata.context"], format!("{BASE}/v1.0/$metadata#communications/calls/$entity"));
    assert_eq!(format!("{CALLS}/{}", body["id"].as_str().unwrap()), call);
    let selected = app.get(&format!("{call}?$select=state")).await.json();
    assert_eq!((&selected["state"], selected.get("callbackUri")), (&json!("establishing"), None));
}

#[tokio::test]
async fn hanging_up_and_staying_alive_answer_without_a_body() {
    let app = App::new();
    let call = app.call().await;
    let kept = app.bare("POST", &format!("{call}/keepAlive")).await;
    assert_eq!((kept.status.as_u16(), kept.body.len()), (200, 0));
    let ended = app.bare("DELETE", &call).await;
    assert_eq!((ended.status.as_u16(), ended.body.len()), (204, 0));
    assert_eq!(*app.calls.commands.lock().unwrap(), [Command::KeepAlive, Command::HangUp]);
}

#[tokio::test]
async fn keep_alive_does_not_look_at_its_body() {
    let app = App::new();
    let path = format!("{}/keepAlive", app.call().await);
    let request = request("POST", &path, &app.token()).header("content-type", "text/plain");
    assert_eq!(app.send(request.body(Body::from("{{{")).unwrap()).await.status, 200);
}

#[tokio::test]
async fn an_action_answers_its_operation_and_where_it_is() {
    let app = App::new();
    let call = app.call().await;
    let answer = app.post(&format!("{call}/playPrompt"), &prompt()).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["@odata.type"], "#microsoft.graph.playPromptOperation");
    assert_eq!((&body["status"], &body["clientContext"]), (&json!("running"), &json!("mine")));
    let id = body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{BASE}{call}/operations/{id}"));

    let shown = app.get(&format!("{call}/operations/{id}")).await.json();
    assert_eq!(shown["id"], id);
    let listed = app.get(&format!("{call}/operations")).await.json();
    assert_eq!(listed["value"][0]["id"], id);
}

#[tokio::test]
async fn every_action_reaches_its_call() {
    let app = App::new();
    let call = app.call().await;
    for (action, body, _) in actions() {
        let answer = app.post(&format!("{call}/{action}"), &body).await;
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
        assert!(answer.header("location").contains("/operations/"), "{action}");
    }
    assert_eq!(app.calls.commands.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn actions_that_touch_media_need_the_permission_for_it() {
    let app = App::new();
    let call = app.call().await;
    let token = app.token_of(BOT, CONTOSO, &[Permission::INITIATE]);
    for (action, body, needs_media) in actions() {
        let answer = app.post_as(&token, &format!("{call}/{action}"), &body).await;
        if needs_media {
            assert_eq!(answer.error(), refused(403, "7504"), "{action}");
        } else {
            assert_eq!(answer.status, 200, "{action}");
        }
    }
}

#[tokio::test]
async fn another_applications_call_does_not_exist() {
    let app = App::new();
    let call = app.call().await;
    let roles = [Permission::INITIATE, Permission::ACCESS_MEDIA];
    let token = app.token_of(OTHER_BOT, CONTOSO, &roles);
    for (method, path) in [
        ("GET", call.clone()),
        ("DELETE", call.clone()),
        ("POST", format!("{call}/keepAlive")),
        ("GET", format!("{call}/operations")),
        ("GET", format!("{call}/operations/0000000b-0000-0000-0000-000000000000")),
    ] {
        let answer = app.send(request(method, &path, &token).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.error(), refused(404, "8522"), "{method} {path}");
    }
    for (action, body, _) in actions() {
        let answer = app.post_as(&token, &format!("{call}/{action}"), &body).await;
        assert_eq!(answer.error(), refused(404, "8522"), "{action}");
    }
    assert!(app.calls.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_is_refused_to_its_application_in_another_tenant() {
    let app = App::new();
    let call = app.call().await;
    let token = app.token_of(BOT, FABRIKAM, &[Permission::INITIATE, Permission::ACCESS_MEDIA]);
    for (method, path) in [
        ("GET", call.clone()),
        ("DELETE", call.clone()),
        ("POST", format!("{call}/keepAlive")),
        ("GET", format!("{call}/operations")),
        ("GET", format!("{call}/participants")),
        ("GET", format!("{call}/audioRoutingGroups")),
        ("GET", call.replace(CALLS, "/hookswitch/v1/calls") + "/dominantSpeaker"),
    ] {
        let answer = app.send(request(method, &path, &token).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.error(), refused(403, "7505"), "{method} {path}");
    }
    for (action, body, _) in actions() {
        let answer = app.post_as(&token, &format!("{call}/{action}"), &body).await;
        assert_eq!(answer.error(), refused(403, "7505"), "{action}");
    }
    assert!(app.calls.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_call_and_an_id_that_is_none_do_not_exist() {
    let app = App::new();
    for id in ["57dab8b1-894c-409a-b240-bd8beae78896", "57dab8b1", "..", "%27"] {
        let answer = app.get(&format!("{CALLS}/{id}")).await;
        assert_eq!(answer.error(), refused(404, "8522"), "{id}");
    }
}

#[tokio::test]
async fn an_unknown_operation_does_not_exist_while_its_call_does() {
    let app = App::new();
    let call = app.call().await;
    for id in ["57dab8b1-894c-409a-b240-bd8beae78896", "nonsense"] {
        let answer = app.get(&format!("{call}/operations/{id}")).await;
        assert_eq!(answer.error(), refused(404, "itemNotFound"), "{id}");
    }
}

#[tokio::test]
async fn a_calls_refusals_have_their_codes() {
    let app = App::new();
    let call = app.call().await;
    for (rejection, status, code) in [
        (Rejection::Ended, 404, "8522"),
        (Rejection::GroupExists, 409, "8519"),
        (Rejection::GroupInvalid, 400, "8523"),
        (Rejection::GroupNotFound, 404, "itemNotFound"),
        (Rejection::HoldBusy, 409, "8519"),
        (Rejection::NeedsAppHostedMedia, 400, "8500"),
        (Rejection::NeedsServiceHostedMedia, 400, "8500"),
        (Rejection::NotEstablished, 409, "8585"),
        (Rejection::NotGroupCall, 400, "8548"),
        (Rejection::NotOnHold, 409, "8585"),
        (Rejection::NotPresenter, 403, "Forbidden"),
        (Rejection::ParticipantNotFound, 404, "8558"),
        (Rejection::TooManyGroups, 400, "8523"),
        (Rejection::TooManyOperations, 429, "TooManyRequests"),
        (Rejection::TooManyParticipants, 400, "8523"),
    ] {
        *app.calls.fault.lock().unwrap() = Some(CallFault::Rejected(rejection));
        let answer = app.post(&format!("{call}/playPrompt"), &prompt()).await;
        assert_eq!(answer.error(), refused(status, code));
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_a_bad_request() {
    let app = App::new();
    let call = app.call().await;
    let many = vec![prompt()["prompts"][0].clone(); 21];
    for (action, body) in [
        ("playPrompt", json!({})),
        ("playPrompt", json!({ "prompts": [] })),
        ("playPrompt", json!({ "prompts": many })),
        ("playPrompt", json!({ "prompts": [{ "mediaInfo": { "uri": "http://cdn.contoso.com/beep.wav" } }] })),
        ("recordResponse", json!({ "maxRecordDurationInSeconds": 121 })),
        ("recordResponse", json!({ "stopTones": ["%"] })),
        ("sendDtmfTones", json!({ "tones": ["tone10"] })),
        ("subscribeToTone", json!({ "clientContext": "x".repeat(257) })),
    ] {
        let answer = app.post(&format!("{call}/{action}"), &body).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{action} {body}");
    }
    assert!(app.calls.commands.lock().unwrap().is_empty());
}
