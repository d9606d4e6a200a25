//! Tokens for applications: granting them, and what clients discover.

mod configuration;
mod grant;
mod keys;

pub(crate) use configuration::configuration;
pub(crate) use grant::{grant_v1, grant_v2};
pub(crate) use keys::keys;

use axum::response::Response;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use identity::OAuthError;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::reply;
use crate::state::Shared;

/// An OAuth error, which is not a Graph one: clients of token endpoints read another body.
fn refuse(error: &OAuthError, context: &RequestContext, state: &Shared) -> Response {
    let correlation = context.client_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = reply::json(status, &error.body(correlation, state.api.clock.now()));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}
