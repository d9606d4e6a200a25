use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::offer::{answer, is_sdp, not_sdp, read_sdp, refused};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, read_body};
use crate::state::AppState;

/// `POST /hookswitch/v1/calls/{id}/media`: the call's application changes its media, or asks for a way in.
///
/// With a session description (`application/sdp`) it is a later offer, answered with 200: re-negotiation, a restart of
/// ICE, or another media stack that takes the place of the former one. Without a body the answer is a new invitation as
/// the blob of a created call has it, for an application that has lost its address.
pub(crate) async fn media(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(call): CallInPath,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if is_sdp(&parts.headers) {
        let sdp = read_sdp(body, &state).await?;
        let answered = state.api.calls.reoffer(&caller.owner, call, sdp).await.map_err(refused)?;
        return Ok(answer(StatusCode::OK, answered));
    }
    if !read_body(body, &state, state.api.settings.max_body_bytes).await?.is_empty() {
        return Err(not_sdp());
    }
    let invitation = state.api.calls.invitation(&caller.owner, call).await?;
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((StatusCode::OK, json, invitation).into_response())
}
