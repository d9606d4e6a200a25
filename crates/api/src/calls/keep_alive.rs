use axum::extract::State;
use call_engine::Command;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;
use crate::state::AppState;

/// `POST …/keepAlive`: the application still wants the call. Whatever body comes is not looked at.
pub(crate) async fn keep_alive(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
) -> Result<StatusCode, ApiError> {
    state.api.calls.command(&caller.owner, id, Command::KeepAlive).await?;
    Ok(StatusCode::OK)
}
