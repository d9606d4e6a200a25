use axum::extract::State;
use axum::response::Response;
use graph_wire::{GraphError, JoinUrl, MeetingFilter};
use http::{StatusCode, Uri};
use model::OnlineMeeting;
use store::MeetingKey;

use super::Scope;
use super::asked::Asked;
use super::guess_limit::Guess;
use super::read::READERS;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::reply;
use crate::state::{AppState, Shared};

/// `GET …/onlineMeetings?$filter=…`: finds one meeting or none.
pub(crate) async fn find(
    State(state): State<AppState>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Asked { caller, scope, .. } = &asked;
    caller.require_any(READERS)?;
    let filter = MeetingFilter::from_query(uri.query().unwrap_or_default());
    // Video systems look numbers up for people that they do not know: no policy is asked for that.
    let is_free = *scope == Scope::All && matches!(filter, Ok(MeetingFilter::VideoTeleconferenceId(_)));
    if !is_free {
        scope.require_policy(&state, caller)?;
    }
    let found = look_up(&state, caller, &filter?).await?;
    let found = found.filter(|meeting| is_free || scope.shows(&state, caller, meeting));
    Ok(reply::json(StatusCode::OK, &asked.list(&state, found.as_ref())))
}

async fn look_up(
    state: &Shared,
    caller: &Caller,
    filter: &MeetingFilter,
) -> Result<Option<OnlineMeeting>, ApiError> {
    match filter {
        MeetingFilter::JoinWebUrl(url) => {
            let Some(url) = JoinUrl::parse(url) else { return Ok(None) };
            let key = MeetingKey::Thread(url.thread_id.clone());
            let found = state.api.store.meeting(caller.principal.tenant.clone(), key).await?;
            Ok(found.filter(|meeting| url.is_of(meeting)))
        }
        MeetingFilter::JoinMeetingId(number) => {
            by_number(state, caller, number, MeetingKey::JoinMeetingId(number.clone())).await
        }
        MeetingFilter::VideoTeleconferenceId(number) => {
            by_number(state, caller, number, MeetingKey::VideoTeleconferenceId(number.clone())).await
        }
    }
}

/// Looks a number up, of those that could be guessed.
async fn by_number(
    state: &Shared,
    caller: &Caller,
    number: &str,
    key: MeetingKey,
) -> Result<Option<OnlineMeeting>, ApiError> {
    let guess = Guess { tenant: &caller.principal.tenant, app: caller.app(), number };
    let reserved = state.guesses.reserve(&guess, state.api.clock.elapsed());
    let reserved = reserved.map_err(GraphError::too_many_requests)?;
    let found = state.api.store.meeting(caller.principal.tenant.clone(), key).await;
    if !matches!(found, Ok(None)) {
        reserved.give_back();
    }
    Ok(found?)
}
