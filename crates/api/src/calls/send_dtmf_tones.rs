use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::SendDtmfTones;
use model::Permission;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/sendDtmfTones`: sends keys to the far end.
pub(crate) async fn send_dtmf_tones(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    caller.require_any(&[Permission::ACCESS_MEDIA])?;
    let SendDtmfTones { tones, delay_between_tones_ms, client_context } =
        SendDtmfTones::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::SendDtmfTones { tones, delay_between_tones_ms, client_context };
    action::start(&state, &context, &caller, id, command).await
}
