//! What handlers take from a request.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use graph_wire::{GraphError, ReadOptions};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::{CallId, ContentSharingSessionId, OperationId, ParticipantId, RecordingId};

use crate::context::RequestContext;
use crate::error::ApiError;
use crate::state::{AppState, Shared};

/// What is known of the request.
pub(crate) struct Context(pub(crate) Arc<RequestContext>);

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let context = parts.extensions.get::<Arc<RequestContext>>().cloned();
        context.map(Self).ok_or_else(|| GraphError::internal().into())
    }
}

/// The call in the path. What is no GUID names no call.
pub(crate) struct CallInPath(pub(crate) CallId);

impl FromRequestParts<AppState> for CallInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, "call").await?;
        CallId::parse(&id).map(Self).ok_or_else(|| GraphError::call_not_found().into())
    }
}

/// The operation in the path.
pub(crate) struct OperationInPath(pub(crate) OperationId);

impl FromRequestParts<AppState> for OperationInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, "operation").await?;
        OperationId::parse(&id).map(Self).ok_or_else(operation_not_found)
    }
}

pub(crate) fn operation_not_found() -> ApiError {
    GraphError::item_not_found("The call has no such operation.").into()
}

/// The shared screen in the path.
pub(crate) struct SessionInPath(pub(crate) ContentSharingSessionId);

impl FromRequestParts<AppState> for SessionInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, "session").await?;
        ContentSharingSessionId::parse(&id).map(Self).ok_or_else(session_not_found)
    }
}

pub(crate) fn session_not_found() -> ApiError {
    GraphError::item_not_found("The call has no such content sharing session.").into()
}

/// The participant in the path. What is no GUID names nobody.
pub(crate) struct ParticipantInPath(pub(crate) ParticipantId);

impl FromRequestParts<AppState> for ParticipantInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, "participant").await?;
        ParticipantId::parse(&id).map(Self).ok_or_else(|| GraphError::participant_not_found().into())
    }
}

/// The routing group in the path: any text, as clients choose it.
pub(crate) struct GroupInPath(pub(crate) String);

impl FromRequestParts<AppState> for GroupInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        path_parameter(parts, state, "group").await.map(Self)
    }
}

/// The recording in the path.
pub(crate) struct RecordingInPath(pub(crate) RecordingId);

impl FromRequestParts<AppState> for RecordingInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let id = path_parameter(parts, state, "recording").await?;
        RecordingId::parse(&id).map(Self).ok_or_else(recording_not_found)
    }
}

pub(crate) fn recording_not_found() -> ApiError {
    GraphError::item_not_found("There is no such recording.").into()
}

/// The tenant in the path.
pub(crate) struct TenantInPath(pub(crate) String);

impl FromRequestParts<AppState> for TenantInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        path_parameter(parts, state, "tenant").await.map(Self)
    }
}

/// A parameter of the path. The router takes an empty segment for one, though nothing has an empty name.
pub(crate) async fn path_parameter(
    parts: &mut Parts,
    state: &AppState,
    name: &str,
) -> Result<String, ApiError> {
    let parameters = RawPathParams::from_request_parts(parts, state).await;
    let found = parameters.ok().and_then(|parameters| {
        parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    });
    match found {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(GraphError::no_such_resource(parts.uri.path()).into()),
        None => Err(GraphError::internal().into()),
    }
}

/// `$select` and `$expand` of a read.
pub(crate) struct Options(pub(crate) ReadOptions);

impl<S: Sync> FromRequestParts<S> for Options {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(Self(ReadOptions::from_query(parts.uri.query().unwrap_or_default())?))
    }
}

/// A body that should be JSON; empty where there is none.
///
/// Reads at most the length that the settings allow. A body without Content-Type is taken for JSON.
pub(crate) struct JsonBody(pub(crate) Bytes);

impl FromRequest<AppState> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let body = read_body(body, state, state.api.settings.max_body_bytes).await?;
        if !body.is_empty() && !is_json(&parts.headers) {
            return Err(GraphError::unsupported_media_type().into());
        }
        Ok(Self(body))
    }
}

/// The form of a token request is a few hundred bytes, a client assertion some kilobytes; and nobody has signed in yet.
const MAX_FORM_BYTES: usize = 32 * 1024;

/// Any body of the length of a form.
pub(crate) struct RawBody(pub(crate) Bytes);

impl FromRequest<AppState> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let limit = state.api.settings.max_body_bytes.min(MAX_FORM_BYTES);
        read_body(request.into_body(), state, limit).await.map(Self)
    }
}

/// Reads a body of at most that length.
///
/// # Errors
///
/// 413 where it is longer, 408 where it takes too long, 400 where it breaks off.
pub(crate) async fn read_body(
    body: axum::body::Body,
    state: &Shared,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let read = Limited::new(body, limit).collect();
    let read = tokio::time::timeout(state.api.settings.body_timeout, read).await;
    let read = read.map_err(|_elapsed| GraphError::request_timeout())?;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        let error = if error.is::<LengthLimitError>() {
            GraphError::body_too_large(limit)
        } else {
            GraphError::invalid_argument("The request body ended early.")
        };
        error.into()
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| text(encoding) == "identity");
    let is_named = headers.get(CONTENT_TYPE).is_none_or(|named| {
        let named = text(named);
        let media_type = named.split(';').next().unwrap_or_default().trim();
        media_type == "application/json"
            || (media_type.starts_with("application/") && media_type.ends_with("+json"))
    });
    is_plain && is_named
}
