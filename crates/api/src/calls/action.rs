use axum::response::Response;
use call_engine::{Command, Reply};
use graph_wire::GraphError;
use model::CallId;

use crate::caller::Caller;
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::reply;
use crate::state::Shared;

/// Hands an action to a call and shows the operation that it started.
pub(crate) async fn start(
    state: &Shared,
    context: &RequestContext,
    caller: &Caller,
    call: CallId,
    command: Command,
) -> Result<Response, ApiError> {
    match state.api.calls.command(caller.app(), call, command).await? {
        Reply::Operation(operation) => Ok(reply::operation(context, call, &operation)),
        Reply::Done => {
            tracing::error!(call.id = %call, "an action started no operation");
            Err(GraphError::internal().into())
        }
    }
}
