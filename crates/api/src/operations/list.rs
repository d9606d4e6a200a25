use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::AppState;

/// `GET …/operations`: lists the operations of a live call.
pub(crate) async fn list(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let operations = state.api.calls.operations(&caller.owner, id).await?;
    let body = graph_wire::operation_list(&context.base(), id, &operations, &options);
    Ok(reply::json(StatusCode::OK, &body))
}
