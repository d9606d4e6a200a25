use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::extract::Context;
use crate::reply;
use crate::state::AppState;

/// `GET /v1/.well-known/OpenIdConfiguration`: where the keys of notification tokens are.
pub(crate) async fn configuration(State(state): State<AppState>, Context(context): Context) -> Response {
    let issuer = &state.api.notification_signer.settings().issuer;
    reply::json(StatusCode::OK, &identity::notification_configuration(&context.origin, issuer))
}
