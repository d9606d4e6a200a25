use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::{ReadOptions, RoutingGroup};
use http::StatusCode;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::reply;
use crate::state::AppState;

/// `POST …/audioRoutingGroups`: makes a private route of sound; 200 as documented.
pub(crate) async fn create(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let asked = RoutingGroup::decode(&body, &state.api.settings.wire_limits)?.into_new()?;
    let request = ConferenceRequest::CreateGroup(asked);
    let command = Command::Conference { request, client_context: None };
    let group = action::group(&state, &caller, call, command).await?;
    let body = graph_wire::read_routing_group(&context.base(), call, &group, &ReadOptions::default());
    Ok(reply::json(StatusCode::OK, &body))
}
