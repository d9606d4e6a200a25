//! What operators look at.

use std::time::Duration;

use axum::body::Body;
use http::Request;

use crate::app::{Answer, App, CALLS, refused, request};

async fn look(path: &str) -> Answer {
    App::new().send(Request::builder().uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn health_readiness_and_metrics_need_no_token() {
    assert_eq!(look("/healthz").await.status, 200);
    assert_eq!(look("/readyz").await.status, 200);
    let metrics = look("/metrics").await;
    assert_eq!((metrics.status.as_u16(), &metrics.body[..]), (200, &b"up 1\n"[..]));
    assert!(metrics.header("content-type").starts_with("text/plain"));
}

#[tokio::test]
async fn the_served_surface_is_described() {
    let description = look("/hookswitch/v1/openapi.json").await.json();
    assert!(description["paths"]["/communications/calls"]["post"].is_object());
}

#[tokio::test]
async fn a_page_of_ours_that_does_not_exist_is_not_found() {
    assert_eq!(look("/hookswitch/v1/nothing").await.error(), refused(404, "UnknownError"));
}

#[tokio::test]
async fn every_request_is_measured_by_the_template_of_its_route() {
    let app = App::new();
    let call = app.call().await;
    app.get(&call).await;
    app.bare("BREW", "/v1.0/nothing").await;
    app.send(Request::builder().uri(&call).body(Body::empty()).unwrap()).await;
    let seen = app.observer.0.lock().unwrap();
    assert_eq!(
        *seen,
        [
            "began",
            "POST /v1.0/communications/calls 201",
            "began",
            "GET /v1.0/communications/calls/{call} 200",
            "began",
            "other unmatched 404",
            "began",
            "refused: missing",
            "GET /v1.0/communications/calls/{call} 401",
        ]
    );
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_measured_too() {
    let app = App::new();
    let (never_written, body) = tokio::io::duplex(1);
    let endless = Body::from_stream(tokio_util::io::ReaderStream::new(body));
    let request = request("POST", CALLS, &app.token()).body(endless).unwrap();
    let waiting = tokio::time::timeout(Duration::ZERO, app.send(request)).await;
    drop(never_written);
    assert!(waiting.is_err());
    let seen = app.observer.0.lock().unwrap();
    assert_eq!(*seen, ["began", "POST /v1.0/communications/calls 499"]);
}
