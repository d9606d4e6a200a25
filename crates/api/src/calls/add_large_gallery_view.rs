use axum::extract::State;
use axum::response::Response;
use call_engine::{Command, ConferenceRequest};
use graph_wire::PlainAction;
use http::StatusCode;

use crate::caller::Caller;
use crate::calls::action;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::state::AppState;

/// `POST …/addLargeGalleryView`: shows several pictures as one participant.
pub(crate) async fn add_large_gallery_view(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(call): CallInPath,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let PlainAction { client_context } = PlainAction::decode(&body, &state.api.settings.wire_limits)?;
    let command = Command::Conference { request: ConferenceRequest::AddLargeGalleryView, client_context };
    action::start_with(StatusCode::ACCEPTED, (&state, &context, &caller), call, command).await
}
