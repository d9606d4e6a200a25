use axum::extract::State;
use axum::response::Response;
use graph_wire::{GraphError, UpdateMeeting};
use http::StatusCode;
use model::{MeetingId, OnlineMeeting, Permission};

use super::asked::Asked;
use super::attendees;
use super::scope::MeetingInPath;
use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::reply;
use crate::state::{AppState, Shared};

/// `PATCH …/onlineMeetings/{id}`: changes a meeting; whoever is in it is told.
pub(crate) async fn update(
    State(state): State<AppState>,
    asked: Asked,
    MeetingInPath(id): MeetingInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    asked.caller.require_any(&[Permission::WRITE_MEETINGS])?;
    asked.scope.require_policy(&state, &asked.caller)?;
    let mut request = UpdateMeeting::decode(&body, &state.api.settings.wire_limits)?;
    if let Some(list) = request.attendees.take() {
        let directory = state.api.directory.load();
        request.attendees = Some(attendees::settled(&directory, &asked.caller.principal.tenant, list)?);
    }
    let changed = change(&state, &asked, &id, &request).await?;
    Ok(reply::json(StatusCode::OK, &asked.one(&state, &changed)))
}

/// How often a change by someone else is taken in before this gives up. Arbitrary; requests rarely race twice.
const MAX_TRIES: usize = 8;

/// Changes the meeting from its latest state.
async fn change(
    state: &Shared,
    asked: &Asked,
    id: &MeetingId,
    request: &UpdateMeeting,
) -> Result<OnlineMeeting, ApiError> {
    for _ in 0..MAX_TRIES {
        let present = asked.scope.meeting_to_change(state, &asked.caller, id).await?;
        let wanted = request.clone().apply(&present)?;
        if wanted == present {
            return Ok(present);
        }
        let changed = OnlineMeeting { revision: present.revision.saturating_add(1), ..wanted };
        if state.api.store.change_meeting(changed.clone()).await? {
            state.api.calls.meeting_changed(changed.clone());
            return Ok(changed);
        }
    }
    Err(GraphError::conflict("Others keep changing the meeting; nothing was changed.").into())
}
