use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::state::Shared;
use crate::{Api, calls, front, notifications, operations, operators, recordings, tokens};

/// Makes a service of the endpoints.
///
/// The server that runs it bounds headers, connections and time, and puts a [`crate::Connection`] into the extensions of
/// each request.
pub fn router(api: Api) -> Router {
    let serves_tokens = api.tokens.is_some();
    let state = Arc::new(Shared::new(api));
    let mut routes = Router::new()
        .route("/v1.0/communications/calls", post(calls::create))
        .route("/v1.0/communications/calls/{call}", get(calls::read).delete(calls::delete))
        .route("/v1.0/communications/calls/{call}/keepAlive", post(calls::keep_alive))
        .route("/v1.0/communications/calls/{call}/playPrompt", post(calls::play_prompt))
        .route("/v1.0/communications/calls/{call}/recordResponse", post(calls::record_response))
        .route("/v1.0/communications/calls/{call}/subscribeToTone", post(calls::subscribe_to_tone))
        .route(
            "/v1.0/communications/calls/{call}/cancelMediaProcessing",
            post(calls::cancel_media_processing),
        )
        .route("/v1.0/communications/calls/{call}/sendDtmfTones", post(calls::send_dtmf_tones))
        .route("/v1.0/communications/calls/{call}/operations", get(operations::list))
        .route("/v1.0/communications/calls/{call}/operations/{operation}", get(operations::read))
        .route("/v1.0/recordings/{recording}", get(recordings::read))
        .route("/v1/.well-known/OpenIdConfiguration", get(notifications::configuration))
        .route("/v1/.well-known/openidconfiguration", get(notifications::configuration))
        .route("/v1/.well-known/openid-configuration", get(notifications::configuration))
        .route("/v1/.well-known/keys", get(notifications::keys))
        .route("/hookswitch/v1/calls/{call}/notifications", get(notifications::list))
        .route("/hookswitch/v1/openapi.json", get(operators::openapi))
        .route("/healthz", get(operators::health))
        .route("/readyz", get(operators::ready))
        .route("/metrics", get(operators::metrics));
    if serves_tokens {
        routes = routes
            .route("/{tenant}/oauth2/v2.0/token", post(tokens::grant_v2))
            .route("/{tenant}/oauth2/token", post(tokens::grant_v1))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(tokens::configuration))
            .route("/{tenant}/.well-known/openid-configuration", get(tokens::configuration))
            .route("/{tenant}/discovery/v2.0/keys", get(tokens::keys))
            .route("/{tenant}/discovery/keys", get(tokens::keys));
    }
    let routes = routes
        .route_layer(middleware::from_fn(front::note_route))
        .fallback(front::no_such_resource)
        .method_not_allowed_fallback(front::method_not_allowed)
        .with_state(Arc::clone(&state));
    front::wrap(routes, state)
}
