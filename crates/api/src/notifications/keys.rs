use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::StatusCode;

use crate::error::ApiError;
use crate::reply;
use crate::state::AppState;

/// `GET /v1/.well-known/keys`: the keys of notification tokens.
pub(crate) async fn keys(State(state): State<AppState>) -> Result<Response, ApiError> {
    let keys = state.api.notification_signer.keys().jwks();
    let keys = serde_json::to_value(keys).map_err(|_| GraphError::internal())?;
    Ok(reply::json(StatusCode::OK, &keys))
}
