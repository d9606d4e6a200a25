use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options, SessionInPath, session_not_found};
use crate::reply;
use crate::state::AppState;

/// `GET …/contentSharingSessions/{id}`: a screen that is shared in a live call.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), session): (CallInPath, Result<SessionInPath, ApiError>),
    Options(options): Options,
) -> Result<Response, ApiError> {
    let shared = state.api.calls.call(&caller.owner, call).await?.content_sharing;
    let SessionInPath(id) = session?;
    let session = shared.filter(|shared| *shared == id).ok_or_else(session_not_found)?;
    let body = graph_wire::read_content_sharing_session(&context.base(), call, session, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
