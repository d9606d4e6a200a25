use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::{ReadOptions, RoutingGroup};
use http::StatusCode;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, GroupInPath, JsonBody};
use crate::reply;
use crate::routing_groups::find;
use crate::state::AppState;

/// `PATCH …/audioRoutingGroups/{id}`: changes a private route of sound; what is left out stays.
pub(crate) async fn update(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), GroupInPath(id)): (CallInPath, GroupInPath),
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let change = RoutingGroup::decode(&body, &state.api.settings.wire_limits)?;
    let known = find(&state, &caller, call, &id).await?;
    let request = ConferenceRequest::UpdateGroup(change.applied_to(known));
    let command = Command::Conference { request, client_context: None };
    let group = action::group(&state, &caller, call, command).await?;
    let body = graph_wire::read_routing_group(&context.base(), call, &group, &ReadOptions::default());
    Ok(reply::json(StatusCode::OK, &body))
}
