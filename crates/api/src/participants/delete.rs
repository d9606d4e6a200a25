use axum::extract::State;
use call_engine::{Command, ConferenceRequest};
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, ParticipantInPath};
use crate::state::AppState;

/// `DELETE …/participants/{id}`: sends a participant away, or cancels the call to one that has not answered.
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(participant)): (CallInPath, ParticipantInPath),
) -> Result<StatusCode, ApiError> {
    let command =
        Command::Conference { request: ConferenceRequest::Remove(participant), client_context: None };
    state.api.calls.command(&caller.owner, call, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
