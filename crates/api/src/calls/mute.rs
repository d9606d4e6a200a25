use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/mute`: mutes the application itself.
pub(crate) async fn mute(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference { request: ConferenceRequest::MuteSelf, client_context };
    action::start(&state, &context, &caller, call, command).await
}
