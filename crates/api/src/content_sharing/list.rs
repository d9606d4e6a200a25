use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::AppState;

/// `GET …/contentSharingSessions`: the screen that is shared in a live call, if there is one.
pub(crate) async fn list(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let session = state.api.calls.call(&caller.owner, id).await?.content_sharing;
    let body = graph_wire::content_sharing_session_list(&context.base(), id, session, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
