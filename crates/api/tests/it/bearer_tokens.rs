//! Who may ask at all.

use std::time::Duration;

use api::{AppLimits, Settings};
use axum::body::Body;
use http::Request;
use model::Permission;
use serde_json::json;

use crate::app::{App, BOT, CALLS, CONTOSO, NOT_CALLING, NOW, peer_to_peer, refused, settings};

async fn send_with(app: &App, authorization: Option<&str>) -> crate::app::Answer {
    let mut request = Request::builder().method("POST").uri(CALLS);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    app.send(request.body(Body::from(peer_to_peer().to_string())).unwrap()).await
}

#[tokio::test]
async fn a_request_without_a_usable_token_is_challenged() {
    let app = App::new();
    for authorization in [None, Some("Bearer"), Some("Bearer "), Some("Bearer x.y.z"), Some("Basic eDp5")] {
        let answer = send_with(&app, authorization).await;
        assert_eq!(answer.error(), refused(401, "InvalidAuthenticationToken"), "{authorization:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{authorization:?}");
    }
    assert!(app.calls.live.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let app = App::new();
    let token = app.token();
    assert_eq!(send_with(&app, Some(&format!("bearer {token}"))).await.status, 201);
}

#[tokio::test]
async fn an_expired_token_is_refused_and_the_message_says_so() {
    let app = App::new();
    let token = app.token();
    *app.clock.0.lock().unwrap() = Duration::from_secs(3600 + 300);
    let answer = send_with(&app, Some(&format!("Bearer {token}"))).await;
    assert_eq!(answer.status, 401);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("expired"));
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let app = App::new();
    let (bot, tenant, roles) = (BOT.into(), CONTOSO.into(), Default::default());
    let audience = "https://vault.azure.net";
    let subject = identity::TokenSubject { app: &bot, tenant: &tenant, roles: &roles, audience };
    let token = app.issuer.issue(&subject, NOW).unwrap().token;
    let answer = send_with(&app, Some(&format!("Bearer {token}"))).await;
    assert_eq!(answer.error(), refused(401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn a_token_of_a_person_is_refused() {
    let app = App::new();
    let claims = json!({
        "aud": "https://graph.microsoft.com", "iss": format!("https://sts.windows.net/{CONTOSO}/"),
        "appid": BOT, "tid": CONTOSO, "roles": ["Calls.Initiate.All"], "exp": NOW.as_secs() + 3600,
    });
    assert_eq!(app.post_as(&app.signed(&claims), CALLS, &peer_to_peer()).await.status, 201);
    for (claim, value) in [("scp", "User.Read"), ("idtyp", "user")] {
        let mut delegated = claims.clone();
        delegated[claim] = json!(value);
        let answer = app.post_as(&app.signed(&delegated), CALLS, &peer_to_peer()).await;
        assert_eq!(answer.error(), refused(403, "Forbidden"), "{claim}");
    }
}

#[tokio::test]
async fn a_tenant_that_this_server_does_not_have_is_refused() {
    let app = App::new();
    let token = app.token_of(BOT, "00000000-0000-4000-8000-00000000000b", &[Permission::INITIATE]);
    assert_eq!(app.post_as(&token, CALLS, &peer_to_peer()).await.error(), refused(403, "7505"));
}

#[tokio::test]
async fn an_application_that_may_not_call_or_is_unknown_is_refused() {
    let app = App::new();
    for id in [NOT_CALLING, "99999999-0000-4000-8000-000000000000"] {
        let token = app.token_of(id, CONTOSO, &[Permission::INITIATE]);
        assert_eq!(app.post_as(&token, CALLS, &peer_to_peer()).await.error(), refused(403, "7503"), "{id}");
    }
}

#[tokio::test]
async fn an_application_that_asks_too_often_waits_a_moment() {
    let app_limits = AppLimits { requests_per_second: 2, ..AppLimits::default() };
    let app = App::with(Settings { app_limits, ..settings() });
    let call = app.call().await;
    assert_eq!(app.get(&call).await.status, 200);
    let answer = app.get(&call).await;
    assert_eq!(answer.error(), refused(429, "TooManyRequests"));
    assert_eq!(answer.header("retry-after"), "1");
    *app.clock.0.lock().unwrap() = Duration::from_millis(500);
    assert_eq!(app.get(&call).await.status, 200);
}

#[tokio::test]
async fn the_ids_of_a_request_are_given_back_and_unfit_ones_are_not() {
    let app = App::new();
    let send = |id: &'static str| {
        let request = Request::builder().uri(CALLS).header("client-request-id", id);
        app.send(request.body(Body::empty()).unwrap())
    };
    let answer = send("1f6b7f5e-3a1b-4a70-9a0e-000000000001").await;
    assert_eq!(answer.header("client-request-id"), "1f6b7f5e-3a1b-4a70-9a0e-000000000001");
    assert!(uuid::Uuid::try_parse(answer.header("request-id")).is_ok());
    for unfit in ["a b", "<script>", ""] {
        let answer = send(unfit).await;
        assert_eq!(answer.header("client-request-id"), answer.header("request-id"), "{unfit:?}");
    }
}

#[tokio::test]
async fn success_carries_the_ids_too() {
    let answer = App::new().post(CALLS, &json!(peer_to_peer())).await;
    assert_eq!(answer.status, 201);
    assert!(uuid::Uuid::try_parse(answer.header("request-id")).is_ok());
}
