use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::CancelMediaProcessing;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/cancelMediaProcessing`: ends the prompts and recordings that run or wait.
pub(crate) async fn cancel_media_processing(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let CancelMediaProcessing { client_context } =
        CancelMediaProcessing::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::CancelMediaProcessing { client_context };
    action::start(&state, &context, &caller, id, command).await
}
