use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::SubscribeToTone;
use model::Permission;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/subscribeToTone`: asks to be told of the far end's keys.
pub(crate) async fn subscribe_to_tone(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    caller.require_any(&[Permission::ACCESS_MEDIA])?;
    let SubscribeToTone { client_context } = SubscribeToTone::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::SubscribeToTone { client_context };
    action::start(&state, &context, &caller, id, command).await
}
