use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::context::SCENARIO_ID;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::AppState;

/// `GET /communications/calls/{id}`: shows a live call, with `$select` and `$expand=operations`.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let call = state.api.calls.call(caller.app(), id).await?;
    let operations = match options.expanded("operations") {
        Some(_) => state.api.calls.operations(caller.app(), id).await?,
        None => Vec::new(),
    };
    let body = graph_wire::read_call(&context.base(), &call, &operations, &options);
    Ok(reply::with_header(reply::json(StatusCode::OK, &body), SCENARIO_ID, call.scenario.as_str()))
}
