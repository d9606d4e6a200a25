//! The token endpoint and what clients discover, over HTTP.

use std::net::Ipv4Addr;

use api::{AddressRange, Proxies, Settings};
use axum::body::Body;
use http::Request;
use http::request::Builder;

use crate::app::{Answer, App, BASE, BOT, CALLS, CONTOSO, peer_to_peer, settings};

async fn ask(app: &App, tenant: &str, secret: &str) -> Answer {
    send(app, Request::builder().uri(format!("/{tenant}/oauth2/v2.0/token")), secret).await
}

/// Asks through a proxy that says where the request is from.
async fn ask_from(app: &App, hops: &str, secret: &str) -> Answer {
    let request = Request::builder().uri(format!("/{CONTOSO}/oauth2/v2.0/token"));
    send(app, request.header("x-forwarded-for", hops), secret).await
}

async fn send(app: &App, request: Builder, secret: &str) -> Answer {
    let form = format!(
        "grant_type=client_credentials&client_id={BOT}&client_secret={secret}\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    let request = request
        .method("POST")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("client-request-id", "1f6b7f5e-3a1b-4a70-9a0e-000000000001");
    app.send(request.body(Body::from(form)).unwrap()).await
}

#[tokio::test]
async fn a_granted_token_creates_a_call() {
    let app = App::new();
    let granted = ask(&app, CONTOSO, "dev-secret").await;
    assert_eq!((granted.status.as_u16(), granted.header("cache-control")), (200, "no-store"));
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.post_as(&token, CALLS, &peer_to_peer()).await.status, 201);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_as_oauth_does() {
    let refused = ask(&App::new(), CONTOSO, "guess").await;
    assert_eq!(refused.status, 401);
    let body = refused.json();
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(body["correlation_id"], "1f6b7f5e-3a1b-4a70-9a0e-000000000001");
    assert_eq!(body["timestamp"], "2027-01-15 08:00:00Z");
}

#[tokio::test]
async fn guessing_secrets_is_slowed_down() {
    let app = App::new();
    for _ in 0..10 {
        assert_eq!(ask(&app, CONTOSO, "guess").await.status, 401);
    }
    let refused = ask(&app, CONTOSO, "guess").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "60"));
}

#[tokio::test]
async fn a_guesser_behind_a_proxy_slows_down_nobody_else_there() {
    let ranges = vec![AddressRange { address: Ipv4Addr::LOCALHOST.into(), prefix_length: 32 }];
    let proxies = Proxies { ranges, ..Proxies::default() };
    let app = App::with(Settings { proxies, ..settings() });
    for _ in 0..10 {
        assert_eq!(ask_from(&app, "192.0.2.66", "guess").await.status, 401);
    }
    assert_eq!(ask_from(&app, "192.0.2.66", "guess").await.status, 429);
    assert_eq!(ask_from(&app, "192.0.2.1, 192.0.2.66", "guess").await.status, 429);
    assert_eq!(ask_from(&app, "192.0.2.66, 192.0.2.1", "dev-secret").await.status, 200);
}

#[tokio::test]
async fn discovery_leads_to_the_token_endpoint_and_the_keys() {
    let app = App::new();
    let document = app.get(&format!("/{CONTOSO}/v2.0/.well-known/openid-configuration")).await.json();
    assert_eq!(document["token_endpoint"], format!("{BASE}/{CONTOSO}/oauth2/v2.0/token"));
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(BASE).unwrap();
    let keys = app.get(keys).await.json();
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert_eq!(keys["keys"][0].get("d"), None);
}

#[tokio::test]
async fn an_unknown_tenant_has_nothing_to_discover() {
    let answer = App::new().get("/northwind/v2.0/.well-known/openid-configuration").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error_codes"][0], 90_002);
}

#[tokio::test]
async fn receivers_of_notifications_find_the_keys_of_their_tokens() {
    let app = App::new();
    let document = app.get("/v1/.well-known/OpenIdConfiguration").await.json();
    assert_eq!(document["issuer"], "https://api.botframework.com");
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(BASE).unwrap();
    assert_eq!(app.get(keys).await.json()["keys"][0]["alg"], "RS256");
}
