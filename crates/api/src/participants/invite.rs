use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::Invite;
use model::Permission;

use crate::callees;
use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/participants/invite`: calls others in.
///
/// A call between two becomes a conference by it, so the permission to make one is needed.
pub(crate) async fn invite(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    caller.require_any(&[Permission::INITIATE_GROUP_CALL])?;
    let action = Invite::decode(&body, &state.api.settings.wire_limits)?;
    let client_context = action.client_context.clone();
    let mut invitees = action.participants;
    callees::of_invitees(&state.api.directory.load(), &mut invitees);
    let command = Command::Conference { request: ConferenceRequest::Invite(invitees), client_context };
    action::start(&state, &context, &caller, call, command).await
}
