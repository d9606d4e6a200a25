use axum::extract::State;
use call_engine::Command;
use graph_wire::AnswerCall;
use http::StatusCode;
use model::Permission;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/answer`: takes a call that came in; 202, and the call is established once its caller has acknowledged that.
pub(crate) async fn answer(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let answer = AnswerCall::decode(&body, &state.api.settings.wire_limits)?;
    if answer.is_app_hosted() {
        caller.require_any(&[Permission::ACCESS_MEDIA])?;
    }
    let command = Command::Answer(Box::new(answer.into()));
    state.api.calls.command(&caller.owner, id, command).await?;
    Ok(StatusCode::ACCEPTED)
}
