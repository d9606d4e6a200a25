use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;
use crate::reply;
use crate::state::AppState;

/// `GET /hookswitch/v1/calls/{id}/dominantSpeaker`: who speaks most in the conference that a live call is in.
///
/// `participantId` is an id of the roster, `sourceId` the number of its sound there; both are null where nobody speaks.
pub(crate) async fn dominant_speaker(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(call): CallInPath,
) -> Result<Response, ApiError> {
    let speaker = state.api.calls.dominant(&caller.owner, call).await?;
    Ok(reply::json(StatusCode::OK, &graph_wire::dominant_speaker(speaker)))
}
