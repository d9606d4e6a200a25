use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, Options, ParticipantInPath};
use crate::reply;
use crate::state::AppState;

/// `GET …/participants/{id}`: shows who is in a live call.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    (CallInPath(call), ParticipantInPath(id)): (CallInPath, ParticipantInPath),
    Options(options): Options,
) -> Result<Response, ApiError> {
    let participants = state.api.calls.participants(&caller.owner, call).await?;
    let found = participants.iter().find(|known| known.id == id);
    let found = found.ok_or_else(GraphError::participant_not_found)?;
    Ok(reply::json(StatusCode::OK, &graph_wire::read_participant(&context.base(), call, found, &options)))
}
