use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use graph_wire::{CreateMeeting, GraphError, links};
use http::StatusCode;
use http::header::LOCATION;
use model::{OnlineMeeting, Permission, Timestamp};
use store::{MeetingCreation, MeetingQuota, Month, StoreError};

use super::asked::Asked;
use super::{attendees, ids};
use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::reply;
use crate::state::{AppState, Shared};

/// `POST …/onlineMeetings`: makes a meeting; answered once it is durable.
pub(crate) async fn create(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    permit(&state, &asked)?;
    let request = CreateMeeting::decode(&body, &state.api.settings.wire_limits)?;
    make(&state, &asked, request).await
}

/// `POST …/onlineMeetings/createOrGet`: finds the meeting of an external id, or makes it.
pub(crate) async fn create_or_get(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    permit(&state, &asked)?;
    let request = CreateMeeting::decode_create_or_get(&body, &state.api.settings.wire_limits)?;
    make(&state, &asked, request).await
}

fn permit(state: &Shared, asked: &Asked) -> Result<(), ApiError> {
    asked.caller.require_any(&[Permission::WRITE_MEETINGS])?;
    asked.scope.require_policy(state, &asked.caller)
}

/// Makes the meeting and shows it, or the one that has its external id.
async fn make(state: &Shared, asked: &Asked, mut request: CreateMeeting) -> Result<Response, ApiError> {
    let tenant = &asked.caller.principal.tenant;
    let organizer = asked.scope.organizer(state, &asked.caller, request.organizer.as_ref())?;
    request.attendees = attendees::settled(&state.api.directory.load(), tenant, request.attendees)?;
    let now = state.api.clock.now();
    let (is_new, meeting) =
        keep(state, || request.clone().into_meeting(ids::new_ids(tenant, &organizer), now), now).await?;
    let body = asked.one(state, &meeting);
    if !is_new {
        return Ok(reply::json(StatusCode::OK, &body));
    }
    let location = links::meeting(&asked.context.base(), &asked.scope.collection(), &meeting.id);
    Ok(reply::with_header(reply::json(StatusCode::CREATED, &body), LOCATION, &location))
}

/// How often ids that are another's are made anew. Arbitrary; with a thousand meetings of a tenant once is rare.
const MAX_TRIES: usize = 8;

/// Keeps a meeting, made anew where its ids are taken. Says whether it is this one, or one that was there.
async fn keep(
    state: &Shared,
    new: impl Fn() -> OnlineMeeting,
    now: Timestamp,
) -> Result<(bool, OnlineMeeting), ApiError> {
    let most = state.api.settings.app_limits.meetings_per_user;
    for _ in 0..MAX_TRIES {
        let meeting = new();
        let quota = MeetingQuota { month: Month::of(now), most };
        match state.api.store.create_meeting(meeting.clone(), quota).await {
            Ok(MeetingCreation::Created) => return Ok((true, meeting)),
            Ok(MeetingCreation::Found(found)) => return Ok((false, *found)),
            Ok(MeetingCreation::OverQuota) => return Err(over_quota(most, now)),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tracing::error!("new ids for a meeting were all taken");
    Err(GraphError::internal().into())
}

/// The wait is until the next month begins.
fn over_quota(most: u32, now: Timestamp) -> ApiError {
    let date = now.to_utc();
    let days = date.month().length(date.year()).saturating_sub(date.day());
    let (hour, minute, second) = date.to_hms();
    let of_day = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    let wait = Duration::from_secs((u64::from(days) + 1) * DAY_SECONDS - of_day);
    let message = format!("In a calendar month at most {most} meetings can be made for one user.");
    ApiError(GraphError { message, ..GraphError::too_many_requests(wait) })
}

const DAY_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;

    use super::over_quota;

    #[test]
    fn a_quota_is_waited_for_until_the_month_ends() {
        // 2027-02-27T22:30:10Z; that February has 28 days.
        let wait = over_quota(1, Timestamp::from_millis(1_803_767_410_000)).0.retry_after;
        assert_eq!(wait, Some(Duration::from_secs(24 * 3600 + 3600 + 29 * 60 + 50)));
    }
}
