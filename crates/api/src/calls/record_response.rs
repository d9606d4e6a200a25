use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::RecordResponse;
use model::Permission;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/recordResponse`: records what the far end says.
pub(crate) async fn record_response(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    caller.require_any(&[Permission::ACCESS_MEDIA])?;
    let RecordResponse { params, client_context } =
        RecordResponse::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::RecordResponse { params, client_context };
    action::start(&state, &context, &caller, id, command).await
}
