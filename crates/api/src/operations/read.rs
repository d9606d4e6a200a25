use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, OperationInPath, Options, operation_not_found};
use crate::reply;
use crate::state::AppState;

/// `GET …/operations/{id}`: shows an operation of a live call.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), operation): (CallInPath, Result<OperationInPath, ApiError>),
    Options(options): Options,
) -> Result<Response, ApiError> {
    let operations = state.api.calls.operations(&caller.owner, call).await?;
    let OperationInPath(id) = operation?;
    let found = operations.iter().find(|known| known.id == id).ok_or_else(operation_not_found)?;
    Ok(reply::json(StatusCode::OK, &graph_wire::read_operation(&context.base(), call, found, &options)))
}
