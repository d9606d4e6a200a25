use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::StartHoldMusic;
use http::StatusCode;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody, ParticipantInPath};
use crate::state::AppState;

/// `POST …/participants/{id}/startHoldMusic`: takes a participant aside, to music.
pub(crate) async fn start_hold_music(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(participant)): (CallInPath, ParticipantInPath),
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let StartHoldMusic { prompt, client_context } =
        StartHoldMusic::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference {
        request: ConferenceRequest::StartHoldMusic { participant, prompt },
        client_context,
    };
    action::start_with(StatusCode::ACCEPTED, (&state, &context, &caller), call, command).await
}
