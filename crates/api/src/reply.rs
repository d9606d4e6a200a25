//! Bodies and headers of success.

use axum::response::{IntoResponse, Response};
use graph_wire::links;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use model::{CallId, Operation};
use serde_json::Value;

use crate::context::RequestContext;

/// A JSON body.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to an action that started an operation, with its address.
pub(crate) fn operation(
    status: StatusCode,
    context: &RequestContext,
    call: CallId,
    operation: &Operation,
) -> Response {
    let base = context.base();
    let response = json(status, &graph_wire::started_operation(&base, operation));
    with_header(response, LOCATION, &links::operation(&base, call, operation.id))
}

/// Adds a header; leaves it out where the text cannot be one.
pub(crate) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
