//! The ways in which a resource may be named, and what is said of those that are not there.

use axum::body::Body;
use graph_wire::routes::{BETA_ROUTES, MEETING_ROUTES, ROUTES};
use http::Request;

use crate::app::{App, CALLS, refused};

#[tokio::test]
async fn a_call_is_found_by_every_spelling_of_its_path() {
    let app = App::new();
    let call = app.call().await;
    let id = call.rsplit('/').next().unwrap();
    for path in [
        format!("/v1.0/app/calls/{id}"),
        format!("/beta/communications/calls/{id}/"),
        format!("/v1.0/communications/calls/{}", id.to_uppercase().replace('-', "")),
        format!("/v1.0/communications/calls('{id}')"),
        format!("/v1.0/communications/calls(%27{id}%27)?$select=id"),
    ] {
        assert_eq!(app.get(&path).await.status, 200, "{path}");
    }
    let qualified = format!("/v1.0/communications/calls('{id}')/microsoft.graph.keepAlive");
    assert_eq!(app.bare("POST", &qualified).await.status, 200);
}

#[tokio::test]
async fn every_documented_route_is_served() {
    let app = App::new();
    let served = [
        ("v1.0", ROUTES),
        ("beta", ROUTES),
        ("beta", BETA_ROUTES),
        ("v1.0", MEETING_ROUTES),
        ("beta", MEETING_ROUTES),
    ];
    for (version, routes) in served {
        for route in routes {
            let path = format!("/{version}{}", filled(route.path));
            let request = Request::builder().method(route.method).uri(&path);
            let answer = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.error(), refused(401, "InvalidAuthenticationToken"), "{} {path}", route.method);
        }
    }
}

#[tokio::test]
async fn what_only_beta_has_does_not_exist_in_the_first_version() {
    let app = App::new();
    for route in BETA_ROUTES {
        let path = format!("/v1.0{}", filled(route.path));
        let answer = app.bare(route.method, &path).await;
        assert_eq!(answer.error(), refused(404, "UnknownError"), "{path}");
    }
}

/// A path with an id in each place for one.
fn filled(path: &str) -> String {
    let mut filled = path.to_owned();
    while let Some((before, rest)) = filled.split_once('{') {
        let (_, after) = rest.split_once('}').unwrap();
        filled = format!("{before}57dab8b1-894c-409a-b240-bd8beae78896{after}");
    }
    filled
}

#[tokio::test]
async fn a_method_that_a_resource_lacks_is_refused_with_those_it_has() {
    let app = App::new();
    let call = app.call().await;
    for (method, path, allowed) in [
        ("GET", CALLS.to_owned(), "POST"),
        ("PATCH", call.clone(), "GET,HEAD,DELETE"),
        ("GET", format!("{call}/playPrompt"), "POST"),
        ("DELETE", format!("{call}/operations"), "GET,HEAD"),
        ("BREW", call.clone(), "GET,HEAD,DELETE"),
    ] {
        let answer = app.bare(method, &path).await;
        assert_eq!(answer.error(), refused(405, "notAllowed"), "{method} {path}");
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn a_path_that_nothing_has_is_a_404_with_a_graph_body() {
    let app = App::new();
    for path in [
        "/",
        "/v1.0",
        "/v1.0/communications",
        "/v1.0/communications/calls//playPrompt",
        "/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/dance",
        "/v1.0/%ff",
        "/v2.0/communications/calls",
    ] {
        let answer = app.bare("POST", path).await;
        assert_eq!(answer.error(), refused(404, "UnknownError"), "{path}");
    }
}
