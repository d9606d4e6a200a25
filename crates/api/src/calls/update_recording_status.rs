use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::UpdateRecordingStatus;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/updateRecordingStatus`: says whether the application records.
pub(crate) async fn update_recording_status(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let UpdateRecordingStatus { status, client_context } =
        UpdateRecordingStatus::decode(&body, &state.api.settings.wire_limits)?;
    let command =
        Command::Conference { request: ConferenceRequest::UpdateRecordingStatus(status), client_context };
    action::start(&state, &context, &caller, call, command).await
}
