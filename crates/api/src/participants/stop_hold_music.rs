use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;
use http::StatusCode;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody, ParticipantInPath};
use crate::state::AppState;

/// `POST …/participants/{id}/stopHoldMusic`: takes a participant back from the music.
pub(crate) async fn stop_hold_music(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(participant)): (CallInPath, ParticipantInPath),
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command =
        Command::Conference { request: ConferenceRequest::StopHoldMusic(participant), client_context };
    action::start_with(StatusCode::ACCEPTED, (&state, &context, &caller), call, command).await
}
