use axum::extract::State;
use call_engine::Command;
use graph_wire::RedirectCall;
use http::StatusCode;
use model::Permission;

use crate::callees;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, JsonBody};
use crate::state::AppState;

/// `POST …/redirect`: sends a call on that came in; 202, and the call is over once somebody else takes it, or nobody does.
pub(crate) async fn redirect(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    caller.require_any(&[Permission::INITIATE])?;
    let mut redirect = RedirectCall::decode(&body, &state.api.settings.wire_limits)?.into_redirect();
    callees::of_redirect(&state.api.directory.load(), &mut redirect);
    state.api.calls.command(&caller.owner, id, Command::Redirect(redirect)).await?;
    Ok(StatusCode::ACCEPTED)
}
