use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::MuteAll;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/participants/muteAll`: mutes everyone else, or those that are named.
pub(crate) async fn mute_all(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let MuteAll { participants, client_context } = MuteAll::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference { request: ConferenceRequest::MuteAll(participants), client_context };
    action::start(&state, &context, &caller, call, command).await
}
