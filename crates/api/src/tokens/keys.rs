use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::StatusCode;

use crate::error::ApiError;
use crate::reply;
use crate::state::AppState;

/// `GET /{tenant}/discovery/v2.0/keys`: the same for every tenant.
pub(crate) async fn keys(State(state): State<AppState>) -> Result<Response, ApiError> {
    let service = state.api.tokens.as_ref().ok_or_else(GraphError::internal)?;
    let keys = serde_json::to_value(service.issuer.keys().jwks()).map_err(|_| GraphError::internal())?;
    Ok(reply::json(StatusCode::OK, &keys))
}
