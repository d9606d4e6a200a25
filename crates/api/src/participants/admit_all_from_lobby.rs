use axum::extract::State;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/participants/admitAllFromLobby`: lets everyone in who waits.
pub(crate) async fn admit_all_from_lobby(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference { request: ConferenceRequest::Admit(None), client_context };
    state.api.calls.command(&caller.owner, call, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
