use axum::extract::State;
use call_engine::{Command, ConferenceRequest};
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, GroupInPath};
use crate::routing_groups::find;
use crate::state::AppState;

/// `DELETE …/audioRoutingGroups/{id}`: ends a private route of sound.
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    (CallInPath(call), GroupInPath(id)): (CallInPath, GroupInPath),
) -> Result<StatusCode, ApiError> {
    let group = find(&state, &caller, call, &id).await?;
    let request = ConferenceRequest::DeleteGroup(group.id);
    let command = Command::Conference { request, client_context: None };
    state.api.calls.command(&caller.owner, call, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
