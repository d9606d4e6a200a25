use axum::extract::State;
use call_engine::{Command, ConferenceRequest};
use graph_wire::ChangeScreenSharingRole;
use http::StatusCode;
use model::Permission;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/changeScreenSharingRole`: takes a side in screen sharing.
pub(crate) async fn change_screen_sharing_role(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    caller.require_any(&[Permission::ACCESS_MEDIA])?;
    let ChangeScreenSharingRole { role } = ChangeScreenSharingRole::decode(&body)?;
    let request = ConferenceRequest::ChangeScreenSharingRole(role);
    let command = Command::Conference { request, client_context: None };
    state.api.calls.command(&caller.owner, call, command).await?;
    Ok(StatusCode::ACCEPTED)
}
