use axum::extract::State;
use call_engine::Command;
use graph_wire::RejectCall;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/reject`: refuses a call that came in; 202.
pub(crate) async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let RejectCall { reason, callback_uri } = RejectCall::decode(&body, &state.api.settings.wire_limits)?;
    state.api.calls.command(&caller.owner, id, Command::Reject { reason, callback_uri }).await?;
    Ok(StatusCode::ACCEPTED)
}
