use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::{StatusCode, Uri};
use model::{Attempt, NotificationState};
use serde_json::{Value, json};
use store::Delivery;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;
use crate::reply;
use crate::state::AppState;

/// Notifications of one answer where the client says nothing, and at most. Arbitrary: about 1 KiB each.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 500;

/// `GET /hookswitch/v1/calls/{id}/notifications?after={sequence}&limit={count}`: what became of a call's notifications.
///
/// For the application that owns the call, also after the call's end. `value` is in the order of delivery; each item has
/// `id`, `sequence`, `state` (`pending`, `delivered`, `abandoned`), `createdAt`, `callbackUri`, `body` as it is posted,
/// and `attempts` with `number`, `at`, `durationMs`, `status`, `error`. Where there may be more, `nextAfter` is the
/// sequence to go on from.
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Page { after, limit } = Page::of(uri.query().unwrap_or_default())?;
    let call = state.api.store.call(id).await?.filter(|call| call.app == caller.owner.app);
    let call = call.ok_or_else(GraphError::call_not_found)?;
    if call.tenant != caller.owner.tenant {
        return Err(GraphError::other_tenants_call().into());
    }
    let deliveries = state.api.store.notifications_of(id, after, limit).await?;
    let mut body = json!({ "value": deliveries.iter().map(shown).collect::<Vec<_>>() });
    if let Some(last) = deliveries.last().filter(|_| deliveries.len() == limit) {
        body["nextAfter"] = json!(last.notification.sequence);
    }
    Ok(reply::json(StatusCode::OK, &body))
}

struct Page {
    after: u64,
    limit: usize,
}

impl Page {
    fn of(query: &str) -> Result<Self, ApiError> {
        let mut page = Self { after: 0, limit: DEFAULT_PAGE };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let refuse =
                |_| GraphError::invalid_argument(format!("The option '{name}' takes a whole number."));
            match name {
                "after" => page.after = value.parse().map_err(refuse)?,
                "limit" => page.limit = value.parse::<usize>().map_err(refuse)?.clamp(1, MAX_PAGE),
                _ => {}
            }
        }
        Ok(page)
    }
}

fn shown(delivery: &Delivery) -> Value {
    let notification = &delivery.notification;
    json!({
        "id": notification.id.to_string(),
        "sequence": notification.sequence,
        "state": match delivery.state {
            NotificationState::Pending => "pending",
            NotificationState::Delivered => "delivered",
            NotificationState::Abandoned => "abandoned",
        },
        "createdAt": notification.created_at.to_string(),
        "callbackUri": notification.callback_uri,
        "body": graph_wire::notifications([notification]),
        "attempts": delivery.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "at": attempt.at.to_string(),
        "durationMs": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
    })
}
