use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::AppState;

/// `GET …/participants`: lists who is in a live call.
pub(crate) async fn list(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let participants = state.api.calls.participants(&caller.owner, call).await?;
    let body = graph_wire::participant_list(&context.base(), call, &participants, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
