use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, GroupInPath, Options};
use crate::reply;
use crate::routing_groups::find;
use crate::state::AppState;

/// `GET …/audioRoutingGroups/{id}`: shows a private route of sound.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), GroupInPath(id)): (CallInPath, GroupInPath),
    Options(options): Options,
) -> Result<Response, ApiError> {
    let group = find(&state, &caller, call, &id).await?;
    let body = graph_wire::read_routing_group(&context.base(), call, &group, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
