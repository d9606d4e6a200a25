use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::PlayPrompt;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/playPrompt`: plays prompts after what waits already.
pub(crate) async fn play_prompt(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let PlayPrompt { prompts, client_context } = PlayPrompt::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::PlayPrompt { prompts, client_context };
    action::start(&state, &context, &caller, id, command).await
}
