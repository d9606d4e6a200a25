use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::StatusCode;

use crate::error::ApiError;
use crate::extract::{Context, TenantInPath};
use crate::reply;
use crate::state::AppState;
use crate::tokens::refuse;

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
pub(crate) async fn configuration(
    State(state): State<AppState>,
    Context(context): Context,
    TenantInPath(tenant): TenantInPath,
) -> Result<Response, ApiError> {
    let service = state.api.tokens.as_ref().ok_or_else(GraphError::internal)?;
    if let Err(error) = service.endpoint.ensure_tenant(&tenant, &state.api.directory.load()) {
        return Ok(refuse(&error, &context, &state));
    }
    Ok(reply::json(StatusCode::OK, &identity::tenant_configuration(&context.origin, &tenant)))
}
