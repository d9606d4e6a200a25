use axum::extract::State;
use call_engine::Command;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;
use crate::state::AppState;

/// `DELETE /communications/calls/{id}`: hangs up.
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
) -> Result<StatusCode, ApiError> {
    state.api.calls.command(&caller.owner, id, Command::HangUp).await?;
    Ok(StatusCode::NO_CONTENT)
}
