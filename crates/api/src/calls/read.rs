use axum::extract::State;
use axum::response::Response;
use graph_wire::{Contained, ReadOptions};
use http::StatusCode;
use model::CallId;

use crate::caller::Caller;
use crate::context::SCENARIO_ID;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options};
use crate::reply;
use crate::state::{AppState, Shared};

/// `GET /communications/calls/{id}`: shows a live call, with `$select`, and `$expand` of what hangs on it.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
    Options(options): Options,
) -> Result<Response, ApiError> {
    let call = state.api.calls.call(&caller.owner, id).await?;
    let contained = contained(&state, &caller, id, &options).await?;
    let body = graph_wire::read_call(&context.base(), &call, &contained, &options);
    Ok(reply::with_header(reply::json(StatusCode::OK, &body), SCENARIO_ID, call.scenario.as_str()))
}

/// What hangs on a call, as far as it is to be shown.
async fn contained(
    state: &Shared,
    caller: &Caller,
    id: CallId,
    options: &ReadOptions,
) -> Result<Contained, ApiError> {
    let mut contained = Contained::default();
    if options.expanded("operations").is_some() {
        contained.operations = state.api.calls.operations(&caller.owner, id).await?;
    }
    if options.expanded("participants").is_some() {
        contained.participants = state.api.calls.participants(&caller.owner, id).await?;
    }
    if options.expanded("audioRoutingGroups").is_some() {
        contained.routing_groups = state.api.calls.routing_groups(&caller.owner, id).await?;
    }
    Ok(contained)
}
