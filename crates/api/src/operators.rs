//! What operators and their machines look at.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};

use crate::error::ApiError;
use crate::extract::Context;
use crate::state::AppState;
use crate::{front, reply};

/// `GET /healthz`: the process answers.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether requests should be sent here.
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if (state.api.operations.is_ready)() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

/// `GET /metrics`: Prometheus' text format.
pub(crate) async fn metrics(State(state): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    match &state.api.operations.metrics {
        Some(render) => {
            Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render()).into_response())
        }
        None => Err(front::no_such_resource(uri).await),
    }
}

/// `GET /hookswitch/v1/openapi.json`: the description of the calls API.
pub(crate) async fn openapi(Context(context): Context) -> Response {
    reply::json(StatusCode::OK, &graph_wire::openapi::document(&context.base()))
}
