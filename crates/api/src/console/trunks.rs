use axum::extract::State;
use axum::response::Response;
use model::TrunkTransport;
use node::{TrunkHealth, Trunking};
use serde_json::{Value, json};

use super::administrator::{Administrator, answer};
use super::console;
use super::summary::tenant;
use crate::error::ApiError;
use crate::state::{AppState, Shared};

/// Trunks that are shown; a directory has few.
const MAX_TRUNKS: usize = 1_000;

/// `GET trunks`: the ways to the phone network, and how they are.
pub(super) async fn list(State(state): State<AppState>, _: Administrator) -> Result<Response, ApiError> {
    let trunks = console(&state)?.node.trunks();
    let shown: Vec<_> = trunks.iter().take(MAX_TRUNKS).filter_map(|trunk| shown(&state, trunk)).collect();
    Ok(answer(&json!({ "value": shown })))
}

fn shown(state: &Shared, status: &Trunking) -> Option<Value> {
    let directory = state.api.directory.load();
    let trunk = directory.trunks.get(&status.trunk)?;
    let (health, since) = match status.health {
        TrunkHealth::Down { since } => ("down", Some(since.to_string())),
        TrunkHealth::Unregistered => ("unregistered", None),
        TrunkHealth::Up => ("up", None),
    };
    let prefixes = trunk.allowed_prefixes.iter().map(model::NumberPrefix::as_str);
    let registers = trunk.account.as_ref().is_some_and(|account| account.registration.is_some());
    Some(json!({
        "id": trunk.id.as_str(),
        "name": trunk.name,
        "tenant": tenant(&directory, &trunk.tenant),
        "peer": match trunk.peer.port {
            Some(port) => format!("{}:{port}", trunk.peer.host),
            None => trunk.peer.host.clone(),
        },
        "transport": match trunk.peer.transport {
            TrunkTransport::Tcp => "tcp",
            TrunkTransport::Tls => "tls",
            TrunkTransport::Udp => "udp",
        },
        "state": health,
        "since": since,
        "calls": status.calls,
        "maxCalls": trunk.concurrent_calls,
        "callsPerSecond": trunk.calls_per_second,
        "priority": trunk.priority,
        "prefixes": prefixes.collect::<Vec<_>>(),
        "registers": registers,
    }))
}
