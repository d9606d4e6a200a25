use app_media::MAX_BLOB_OCTETS;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use graph_wire::GraphError;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::CallFault;
use crate::error::ApiError;
use crate::extract::read_body;
use crate::state::{AppState, Shared};

/// The type of session descriptions (RFC 8866, 8.1).
pub(super) const SDP: &str = "application/sdp";

/// A body that is a session description, as long as a blob may be.
pub(crate) struct SdpBody(pub(crate) String);

impl FromRequest<AppState> for SdpBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_sdp(&parts.headers) {
            return Err(not_sdp());
        }
        read_sdp(body, state).await.map(Self)
    }
}

/// Reads a body that says that it is one.
///
/// # Errors
///
/// 413 where it is too long, 400 where it is no text, 408 where it does not come.
pub(super) async fn read_sdp(body: Body, state: &Shared) -> Result<String, ApiError> {
    let limit = state.api.settings.max_body_bytes.min(MAX_BLOB_OCTETS);
    let body = read_body(body, state, limit).await?;
    let text = String::from_utf8(body.to_vec());
    text.map_err(|_| GraphError::invalid_argument("The session description is not UTF-8.").into())
}

/// Whether a body says that it is a session description. Unlike with JSON, nothing else is meant by saying nothing.
pub(super) fn is_sdp(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| text(encoding) == "identity");
    let named = headers.get(CONTENT_TYPE).map(text);
    let is_named = named.is_some_and(|named| named.split(';').next().unwrap_or_default().trim() == SDP);
    is_plain && is_named
}

/// 415 for a body of another type.
pub(super) fn not_sdp() -> ApiError {
    let message = format!("The Content-Type must be {SDP}.");
    GraphError { message, ..GraphError::unsupported_media_type() }.into()
}

/// An answer to an offer.
pub(super) fn answer(status: StatusCode, sdp: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(SDP))], sdp).into_response()
}

/// What is wrong with an offer that is a body of its own, and no member of one.
pub(super) fn refused(fault: CallFault) -> ApiError {
    if let CallFault::BadBlob(what) = fault {
        let message = format!("The session description is malformed: {what}.");
        return GraphError::invalid_argument(message).into();
    }
    fault.into()
}
