use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody, ParticipantInPath};
use crate::state::AppState;

/// `POST …/participants/{id}/mute`: mutes a participant.
pub(crate) async fn mute(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(participant)): (CallInPath, ParticipantInPath),
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference { request: ConferenceRequest::Mute(participant), client_context };
    action::start(&state, &context, &caller, call, command).await
}
