use axum::response::Response;
use call_engine::{Command, Reply};
use graph_wire::GraphError;
use http::StatusCode;
use model::{AudioRoutingGroup, CallId};

use crate::caller::Caller;
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::reply;
use crate::state::Shared;

/// Hands an action to a call and shows the operation that it started with a 200.
pub(crate) async fn start(
    state: &Shared,
    context: &RequestContext,
    caller: &Caller,
    call: CallId,
    command: Command,
) -> Result<Response, ApiError> {
    start_with(StatusCode::OK, (state, context, caller), call, command).await
}

/// The same with another status of success.
pub(crate) async fn start_with(
    status: StatusCode,
    (state, context, caller): (&Shared, &RequestContext, &Caller),
    call: CallId,
    command: Command,
) -> Result<Response, ApiError> {
    match state.api.calls.command(&caller.owner, call, command).await? {
        Reply::Operation(operation) => Ok(reply::operation(status, context, call, &operation)),
        Reply::Done | Reply::Group(_) => Err(unexpected(call)),
    }
}

/// Hands an action to a call and shows the routing group that came of it.
pub(crate) async fn group(
    state: &Shared,
    caller: &Caller,
    call: CallId,
    command: Command,
) -> Result<AudioRoutingGroup, ApiError> {
    match state.api.calls.command(&caller.owner, call, command).await? {
        Reply::Group(group) => Ok(*group),
        Reply::Done | Reply::Operation(_) => Err(unexpected(call)),
    }
}

fn unexpected(call: CallId) -> ApiError {
    tracing::error!(call.id = %call, "an action was answered with something else than its kind has");
    GraphError::internal().into()
}
