use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::AppState;

/// `GET …/audioRoutingGroups`: lists the private routes of sound.
pub(crate) async fn list(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let groups = state.api.calls.routing_groups(&caller.owner, call).await?;
    let body = graph_wire::routing_group_list(&context.base(), call, &groups, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
