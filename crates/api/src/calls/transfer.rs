use axum::extract::State;
use call_engine::Command;
use graph_wire::TransferCall;
use http::StatusCode;
use model::Permission;

use crate::callees;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/transfer`: hands the other party of a call over to someone else; 202, and notifications tell what becomes of it.
pub(crate) async fn transfer(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    caller.require_any(&[Permission::INITIATE])?;
    let mut transfer = TransferCall::decode(&body, &state.api.settings.wire_limits)?.into_transfer();
    callees::of_invitees(&state.api.directory.load(), std::slice::from_mut(&mut transfer.target));
    state.api.calls.command(&caller.owner, id, Command::Transfer(Box::new(transfer))).await?;
    Ok(StatusCode::ACCEPTED)
}
