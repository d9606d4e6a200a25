//! What every request passes on its way in and out: its ids, its path, its errors, its line in the log.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use graph_wire::{GraphError, InnerError};
use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use tower::ServiceExt;

use crate::context::{CLIENT_REQUEST_ID, REQUEST_ID, RequestContext, SCENARIO_ID, named};
use crate::error::ApiError;
use crate::path::{self, NormalPath, Version};
use crate::state::{AppState, Shared};
use crate::{Connection, EndedRequest};

/// Puts the path normaliser, the ids and the request log in front of the routes.
pub(crate) fn wrap(routes: Router, state: AppState) -> Router {
    let service = tower::service_fn(move |request: Request| {
        let (routes, state) = (routes.clone(), Arc::clone(&state));
        async move { Ok::<_, Infallible>(pass(routes, &state, request).await) }
    });
    Router::new().fallback_service(service)
}

/// Notes the route of a request, for the log and the metrics; a layer of the routes.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<Arc<RequestContext>>();
    if let (Some(context), Some(route)) = (context, request.extensions().get::<MatchedPath>()) {
        // Set once: a request has one route.
        let _ = context.route.set(route.as_str().to_owned());
    }
    next.run(request).await
}

/// Keeps routes for those who ask below `/beta`; to others they do not exist. A layer of those routes.
pub(crate) async fn beta_only(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<Arc<RequestContext>>();
    if context.is_some_and(|context| context.version == Version::Beta) {
        return next.run(request).await;
    }
    no_such_resource(request.uri().clone()).await.into_response()
}

/// Answers what no route takes.
pub(crate) async fn no_such_resource(uri: Uri) -> ApiError {
    let shown: String = uri.path().chars().take(MAX_SHOWN_PATH_CHARS).collect();
    GraphError::no_such_resource(&shown).into()
}

/// Answers a known resource asked with a method that it does not have; the router adds `Allow`.
pub(crate) async fn method_not_allowed() -> ApiError {
    GraphError::method_not_allowed().into()
}

/// Arbitrary: enough to recognise a path by.
const MAX_SHOWN_PATH_CHARS: usize = 200;

async fn pass(routes: Router, state: &AppState, mut request: Request) -> Response {
    let normal = path::normalise(request.uri().path());
    let context = Arc::new(context_of(&request, normal.as_ref().ok(), state));
    request.extensions_mut().insert(Arc::clone(&context));
    let mut report = Report::begin(state, &context, request.method());
    let response = match normal.ok().and_then(|normal| rewritten(request.uri(), &normal.path)) {
        Some(uri) => {
            *request.uri_mut() = uri;
            let Ok(response) = routes.oneshot(request).await;
            response
        }
        None => no_such_resource(request.uri().clone()).await.into_response(),
    };
    let response = finish(response, &context, state);
    report.status = response.status().as_u16();
    response
}

fn context_of(request: &Request, normal: Option<&NormalPath>, state: &Shared) -> RequestContext {
    RequestContext {
        id: identity::random_guid(),
        client_id: named(request.headers(), &CLIENT_REQUEST_ID),
        scenario: named(request.headers(), &SCENARIO_ID),
        origin: state.api.settings.public_base.clone().unwrap_or_else(|| used_origin(request)),
        version: normal.and_then(|normal| normal.version).unwrap_or(Version::V1),
        app: OnceLock::new(),
        route: OnceLock::new(),
    }
}

/// Scheme and host as the client used them.
fn used_origin(request: &Request) -> String {
    let is_tls = request.extensions().get::<Connection>().is_some_and(|connection| connection.is_tls);
    let in_uri = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = in_uri.or_else(|| {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        host.parse::<http::uri::Authority>().ok().map(|authority| authority.to_string())
    });
    let plain = |host: &String| !host.contains('@');
    let host = host.filter(plain).unwrap_or_else(|| "localhost".to_owned());
    format!("{}://{host}", if is_tls { "https" } else { "http" })
}

fn rewritten(uri: &Uri, path: &str) -> Option<Uri> {
    if uri.path() == path {
        return Some(uri.clone());
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{query}").parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// Headers of an error that belong to its status and stay: of 405, and of 426.
const KEPT: [HeaderName; 4] = [ALLOW, CONNECTION, SEC_WEBSOCKET_VERSION, UPGRADE];

/// Writes the body of an error, and the headers that every response has.
fn finish(mut response: Response, context: &RequestContext, state: &Shared) -> Response {
    if let Some(ApiError(error)) = response.extensions_mut().remove::<ApiError>() {
        let kept = KEPT.map(|name| response.headers_mut().remove(&name).map(|value| (name, value)));
        response = error_response(&error, context, state);
        response.headers_mut().extend(kept.into_iter().flatten());
    }
    let headers = response.headers_mut();
    let id = context.id.as_hyphenated().to_string();
    let echoed = [
        (REQUEST_ID, Some(&id)),
        (CLIENT_REQUEST_ID, context.client_id.as_ref().or(Some(&id))),
        (SCENARIO_ID, context.scenario.as_ref()),
    ];
    for (name, value) in echoed {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok())
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
    response
}

fn error_response(error: &GraphError, context: &RequestContext, state: &Shared) -> Response {
    let inner = InnerError {
        date: state.api.clock.now(),
        request_id: context.id,
        client_request_id: context.client_id.as_deref(),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, error.to_json(&inner).to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    response
}

/// RFC 6750, 3.
const CHALLENGE: &str = "Bearer realm=\"\", error=\"invalid_token\"";

/// One line and one measurement for each request, also where its client goes away and it is dropped half done.
struct Report {
    state: AppState,
    context: Arc<RequestContext>,
    method: &'static str,
    started: Duration,
    status: u16,
}

/// What others write for a client that went away; HTTP has no status for it.
const CLIENT_GONE: u16 = 499;

impl Report {
    fn begin(state: &AppState, context: &Arc<RequestContext>, method: &Method) -> Self {
        state.api.operations.observer.request_began();
        Self {
            state: Arc::clone(state),
            context: Arc::clone(context),
            method: known_method(method),
            started: state.api.clock.elapsed(),
            status: CLIENT_GONE,
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let Self { state, context, method, started, status } = self;
        let route = context.route.get().map_or("unmatched", String::as_str);
        let duration = state.api.clock.elapsed().saturating_sub(*started);
        let ended = EndedRequest { method, route, status: *status, duration };
        state.api.operations.observer.request_ended(&ended);
        // What machines ask every few seconds is not worth a line.
        if !matches!(route, "/healthz" | "/metrics" | "/readyz") {
            log(context, &ended);
        }
    }
}

fn log(context: &RequestContext, ended: &EndedRequest<'_>) {
    let EndedRequest { method, route, status, duration } = *ended;
    tracing::info!(
        http.method = method,
        http.route = route,
        http.status = status,
        http.duration_us = duration.as_micros(),
        app.id = context.app.get().map_or("-", |app| app.as_str()),
        request.id = %context.id,
        request.client_id = context.client_id.as_deref().unwrap_or("-"),
        "answered {method} {route} with {status}"
    );
}

/// A method that a caller invents must not become a label of a metric.
fn known_method(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::POST,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::PUT,
    ];
    let names = ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "PUT"];
    known.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}
