//! `POST /communications/calls`

use api::{AppLimits, CallFault, Settings};
use axum::body::Body;
use model::{Destination, Permission, Person};
use serde_json::{Value, json};

use crate::app::{
    App, BASE, BOT, CALLS, CONTOSO, FABRIKAM, INSTANCE, JOHN, OTHER_BOT, peer_to_peer, refused, request,
    settings,
};

fn with(member: &str, value: Value) -> Value {
    let mut body = peer_to_peer();
    body[member] = value;
    body
}

fn from_source(identity: Value) -> Value {
    with("source", json!({ "identity": identity }))
}

#[tokio::test]
async fn the_documented_request_creates_a_call() {
    let app = App::new();
    let answer = app.post(CALLS, &peer_to_peer()).await;

    assert_eq!(answer.status, 201);
    let body = answer.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{BASE}/v1.0/communications/calls/{id}"));
    assert_eq!(body["@odata.context"], format!("{BASE}/v1.0/$metadata#app/calls/$entity"));
    assert_eq!(body["state"], "establishing");
    assert_eq!(body["callbackUri"], "https://bot.contoso.com/callback");
    assert_eq!(app.calls.live.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_public_address_the_one_that_the_client_used_is_shown() {
    let app = App::with(Settings { public_base: None, ..settings() });
    let request = request("POST", CALLS, &app.token()).header("host", "127.0.0.1:8443");
    let answer = app.send(request.body(Body::from(peer_to_peer().to_string())).unwrap()).await;
    assert!(answer.header("location").starts_with("https://127.0.0.1:8443/v1.0/communications/calls/"));
}

#[tokio::test]
async fn beta_answers_with_addresses_of_its_own() {
    let answer = App::new().post("/beta/app/calls", &peer_to_peer()).await;
    assert_eq!(answer.status, 201);
    assert!(answer.header("location").starts_with("https://calls.example/beta/communications/calls/"));
}

#[tokio::test]
async fn a_scenario_that_the_client_names_stays_with_the_call() {
    let app = App::new();
    let request = request("POST", CALLS, &app.token()).header("scenario-id", "mine-1");
    let answer = app.send(request.body(Body::from(peer_to_peer().to_string())).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("scenario-id")), (201, "mine-1"));
    let unnamed = app.post(CALLS, &peer_to_peer()).await;
    assert_eq!(unnamed.header("scenario-id"), "made-up");
}

#[tokio::test]
async fn a_token_without_the_permission_for_the_intent_is_refused() {
    let app = App::new();
    let token = app.token_of(BOT, CONTOSO, &[Permission::ACCESS_MEDIA, Permission::JOIN_GROUP_CALL]);
    assert_eq!(app.post_as(&token, CALLS, &peer_to_peer()).await.error(), refused(403, "7504"));

    let mut group = peer_to_peer();
    let target = group["targets"][0].clone();
    group["targets"] = json!([target, target]);
    assert_eq!(app.post(CALLS, &group).await.error(), refused(403, "7504"));
}

#[tokio::test]
async fn media_that_the_application_hosts_needs_access_to_media_besides() {
    let app = App::new();
    let token = app.token_of(BOT, CONTOSO, &[Permission::INITIATE]);
    let media = json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "x" });
    let body = with("mediaConfig", media.clone());
    assert_eq!(app.post_as(&token, CALLS, &body).await.error(), refused(403, "7504"));
    assert!(app.calls.created.lock().unwrap().is_empty());
    let answer = app.post(CALLS, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["mediaConfig"]), (201, &media));
    let path = format!("{CALLS}/{}", answer.json()["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.json()["mediaConfig"], media);
}

#[tokio::test]
async fn a_phone_number_is_called_whoever_hosts_the_media() {
    let app = App::new();
    let mut body = from_source(json!({ "applicationInstance": { "id": INSTANCE } }));
    body["targets"] = json!([{ "identity": { "phone": { "id": "+12345678901" } } }]);
    for name in ["appHostedMediaConfig", "serviceHostedMediaConfig"] {
        body["mediaConfig"] = json!({ "@odata.type": format!("#microsoft.graph.{name}") });
        assert_eq!(app.post(CALLS, &body).await.status, 201, "{name}");
    }
    let created = app.calls.created.lock().unwrap();
    for new in created.iter() {
        let Destination::Person(invitee) = &new.destination else { panic!("{new:?}") };
        assert_eq!(invitee.callee, Person::Phone("+12345678901".parse().unwrap()));
    }
    assert_eq!(created.len(), 2);
}

#[tokio::test]
async fn another_tenant_than_the_tokens_is_refused() {
    let app = App::new();
    let body = with("tenantId", json!(FABRIKAM));
    assert_eq!(app.post(CALLS, &body).await.error(), refused(403, "7505"));
    let own = with("tenantId", json!(CONTOSO.to_uppercase()));
    assert_eq!(app.post(CALLS, &own).await.status, 201);
}

#[tokio::test]
async fn tenant_and_callee_are_the_directorys_in_any_case() {
    let app = App::new();
    let mut body = with("tenantId", json!(CONTOSO.to_uppercase()));
    body["targets"][0]["identity"]["user"]["id"] = json!(JOHN.to_uppercase());
    let shown = app.post(CALLS, &body).await.json();
    let created = app.calls.created.lock().unwrap().pop().unwrap();
    assert_eq!(created.tenant.as_str(), CONTOSO);
    let Destination::Person(invitee) = created.destination else { panic!("it calls otherwise") };
    assert_eq!(invitee.callee.user().unwrap().as_str(), JOHN);
    assert_eq!(shown["tenantId"], CONTOSO);
    assert_eq!(shown["targets"][0]["identity"]["user"]["id"], JOHN.to_uppercase());
}

#[tokio::test]
async fn a_source_that_the_application_may_not_speak_for_is_refused() {
    let app = App::new();
    for identity in [
        json!({ "application": { "id": OTHER_BOT } }),
        json!({ "applicationInstance": { "id": "not-mine" } }),
        json!({ "guest": { "id": "someone", "displayName": "Someone" } }),
        json!({ "user": { "id": "112f7296-5fa4-42ca-bae8-6a692b15d4b8" } }),
        json!({ "phone": { "id": "+12345678901" } }),
    ] {
        let answer = app.post(CALLS, &from_source(identity.clone())).await;
        assert_eq!(answer.error(), refused(403, "7507"), "{identity}");
    }
    assert!(app.calls.live.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_source_of_its_own_is_taken() {
    let app = App::new();
    for identity in [
        json!({ "application": { "id": BOT.to_uppercase(), "displayName": "Bot" } }),
        json!({ "applicationInstance": { "id": INSTANCE } }),
        json!({ "phone": { "id": "+12345678900" } }),
    ] {
        let answer = app.post(CALLS, &from_source(identity.clone())).await;
        assert_eq!(answer.status, 201, "{identity}");
    }
}

#[tokio::test]
async fn an_instance_of_another_application_is_refused() {
    let app = App::new();
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::INITIATE]);
    let body = from_source(json!({ "applicationInstance": { "id": INSTANCE } }));
    assert_eq!(app.post_as(&token, CALLS, &body).await.error(), refused(403, "7507"));
}

#[tokio::test]
async fn malformed_json_is_refused_with_its_place_and_a_trailing_comma_is_not() {
    let app = App::new();
    let send = |body: String| app.send(request("POST", CALLS, &app.token()).body(Body::from(body)).unwrap());
    let text = peer_to_peer().to_string();

    let cut = send(text[..text.len() - 1].to_owned()).await;
    assert_eq!(cut.error(), refused(400, "BadRequest"));
    let message = cut.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 1") && message.contains("column"), "{message}");

    let trailing = send(format!("{},}}", &text[..text.len() - 1])).await;
    assert_eq!(trailing.status, 201);
}

#[tokio::test]
async fn a_value_that_is_wrong_is_named() {
    let app = App::new();
    for (member, value) in [
        ("callbackUri", json!("http://bot.contoso.com/callback")),
        ("callbackUri", json!("not a url")),
        ("callbackUri", Value::Null),
        ("mediaConfig", Value::Null),
        ("requestedModalities", json!(["telepathy"])),
        ("targets", json!([])),
        ("targets", json!("John")),
    ] {
        let answer = app.post(CALLS, &with(member, value.clone())).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{member}: {value}");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(member), "{member}: {value}");
    }
}

#[tokio::test]
async fn an_empty_body_is_a_bad_request() {
    assert_eq!(App::new().bare("POST", CALLS).await.error(), refused(400, "BadRequest"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let app = App::new();
    let body = Body::from(vec![b' '; api::MAX_BODY_BYTES + 1]);
    let answer = app.send(request("POST", CALLS, &app.token()).body(body).unwrap()).await;
    assert_eq!(answer.error(), refused(413, "invalidRequest"));
}

#[tokio::test]
async fn only_a_body_that_says_it_is_something_else_than_json_is_refused() {
    let app = App::new();
    for (content_type, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON;odata.metadata=minimal", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let request = request("POST", CALLS, &app.token()).header("content-type", content_type);
        let answer = app.send(request.body(Body::from(peer_to_peer().to_string())).unwrap()).await;
        assert_eq!(answer.status, status, "{content_type}");
    }
}

#[tokio::test]
async fn an_application_with_as_many_calls_as_it_may_have_waits() {
    let app_limits = AppLimits { concurrent_calls: 1, ..AppLimits::default() };
    let app = App::with(Settings { app_limits, ..settings() });
    assert_eq!(app.post(CALLS, &peer_to_peer()).await.status, 201);
    let answer = app.post(CALLS, &peer_to_peer()).await;
    assert_eq!(answer.error(), refused(429, "TooManyRequests"));
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_call_that_cannot_be_kept_is_not_promised() {
    let app = App::new();
    for fault in [CallFault::Unavailable("disk full".into()), CallFault::Draining, CallFault::Busy] {
        *app.calls.fault.lock().unwrap() = Some(fault);
        let answer = app.post(CALLS, &peer_to_peer()).await;
        assert_eq!(answer.error(), refused(503, "serviceNotAvailable"));
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.body.windows(4).any(|window| window == b"disk"));
    }
}
