use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use graph_wire::GraphError;
use http::request::Parts;
use model::Attempt;
use serde_json::json;
use trace::Tried;

use super::administrator::{Administrator, answer};
use super::{console, shown};
use crate::error::ApiError;
use crate::extract::{CallInPath, path_parameter};
use crate::state::AppState;

/// How long to wait where too many are under way.
const WAIT: Duration = Duration::from_secs(2);

/// The sequence of a notification in the path.
pub(super) struct SequenceInPath(u64);

impl FromRequestParts<AppState> for SequenceInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let sequence = path_parameter(parts, state, "sequence").await?;
        let sequence: Option<u64> = sequence.parse().ok().filter(|sequence| *sequence > 0);
        sequence.map(Self).ok_or_else(not_found)
    }
}

fn not_found() -> ApiError {
    GraphError::item_not_found("The call has no such notification.").into()
}

/// `POST calls/{id}/notifications/{sequence}/resend`: posts a notification once more to where it went.
///
/// What is owed stays as it is, and so does its order: a receiver tells repetitions by their id.
pub(super) async fn resend(
    State(state): State<AppState>,
    administrator: Administrator,
    CallInPath(id): CallInPath,
    SequenceInPath(sequence): SequenceInPath,
) -> Result<Response, ApiError> {
    let found = state.api.store.notifications_of(id, sequence - 1, 1).await?;
    let found = found.into_iter().find(|found| found.notification.sequence == sequence);
    let notification = found.ok_or_else(not_found)?.notification;
    let redirect = state.api.store.callback_redirect(id).await?;
    let redirect = redirect.filter(|redirect| redirect.from == notification.callback_uri);
    let uri = redirect.map_or_else(|| notification.callback_uri.clone(), |redirect| redirect.to);
    let user = administrator.user().clone();
    let state = Arc::clone(&state);
    // What was sent is recorded, also where the browser does not wait for it.
    let sent = tokio::spawn(async move {
        let console = console(&state)?;
        let attempt = console.resend.resend(notification, uri).await;
        let attempt = attempt.ok_or_else(|| GraphError::too_many_requests(WAIT))?;
        let number = state.api.store.record_resend(id, sequence, attempt.clone()).await?;
        let attempt = Attempt { number, ..attempt };
        tracing::info!(
            user.id = user.as_str(), call.id = %id, sequence, status = attempt.status,
            "an administrator has sent a notification again"
        );
        let body = json!({"attempt": shown::attempt(&attempt, true)});
        if let Some(trace) = console.recorder.find(id) {
            trace.tried(sequence, Tried { attempt, state: None });
        }
        Ok::<_, ApiError>(body)
    });
    let body = sent.await.map_err(|_| GraphError::internal())??;
    Ok(answer(&body))
}
