use axum::extract::State;
use http::StatusCode;
use model::Permission;

use super::asked::Asked;
use super::scope::{MeetingInPath, no_such_meeting};
use crate::error::ApiError;
use crate::state::AppState;

/// `DELETE …/onlineMeetings/{id}`: deletes a meeting. Nobody joins it any more; whoever is in it stays.
pub(crate) async fn delete(
    State(state): State<AppState>,
    asked: Asked,
    MeetingInPath(id): MeetingInPath,
) -> Result<StatusCode, ApiError> {
    asked.caller.require_any(&[Permission::WRITE_MEETINGS])?;
    let meeting = asked.scope.meeting_to_change(&state, &asked.caller, &id).await?;
    if state.api.store.delete_meeting(meeting.tenant, meeting.id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_such_meeting())
    }
}
