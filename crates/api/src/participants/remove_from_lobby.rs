use axum::extract::State;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody, ParticipantInPath};
use crate::state::AppState;

/// `POST …/participants/{id}/removeFromLobby`: sends someone away who waits.
pub(crate) async fn remove_from_lobby(
    State(state): State<AppState>,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(participant)): (CallInPath, ParticipantInPath),
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command =
        Command::Conference { request: ConferenceRequest::RemoveFromLobby(participant), client_context };
    state.api.calls.command(&caller.owner, call, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
