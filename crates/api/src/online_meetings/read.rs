use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use model::Permission;

use super::asked::Asked;
use super::scope::MeetingInPath;
use crate::error::ApiError;
use crate::reply;
use crate::state::AppState;

/// What a token needs one of to look at meetings.
pub(super) const READERS: &[&str] = &[Permission::READ_MEETINGS, Permission::WRITE_MEETINGS];

/// `GET …/onlineMeetings/{id}`: shows a meeting, with `$select`.
pub(crate) async fn read(
    State(state): State<AppState>,
    asked: Asked,
    MeetingInPath(id): MeetingInPath,
) -> Result<Response, ApiError> {
    asked.caller.require_any(READERS)?;
    let meeting = asked.scope.meeting(&state, &asked.caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &asked.one(&state, &meeting)))
}
