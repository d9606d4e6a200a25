use axum::extract::State;
use axum::response::Response;
use model::Timestamp;
use serde_json::json;

use super::administrator::{Administrator, answer};
use super::console;
use crate::error::ApiError;
use crate::state::AppState;

/// `GET overview`: the server at a glance.
pub(super) async fn read(State(state): State<AppState>, _: Administrator) -> Result<Response, ApiError> {
    let counts = (console(&state)?.counts)();
    let uptime = state.api.clock.elapsed();
    let since = i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX);
    let started = Timestamp::from_millis(state.api.clock.now().as_millis().saturating_sub(since));
    Ok(answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "startedAt": started.to_string(),
        "uptimeSeconds": uptime.as_secs(),
        "counts": {
            "calls": counts.calls,
            "conferences": counts.conferences,
            "registeredUsers": counts.registered_users,
            "pages": counts.pages,
            "sipCalls": counts.sip_calls,
            "mediaLegs": counts.media.legs,
            "mixers": counts.media.mixers,
            "trunksUp": counts.trunks.up,
            "trunksDown": counts.trunks.down,
            "trunksUnregistered": counts.trunks.unregistered,
            "trunkCalls": counts.trunks.calls,
            "watchers": state.streams.count(),
        },
    })))
}
