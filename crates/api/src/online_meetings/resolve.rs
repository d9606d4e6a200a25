use std::time::Duration;

use graph_wire::GraphError;
use identity::MeetingTokenError;
use model::{ChatInfo, MeetingInfo, OnlineMeeting};
use store::{MeetingKey, StoreError};

use super::guess_limit::Guess;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::state::Shared;

/// Why a call joins no meeting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// The token is not one of this server's, or not for this application.
    #[error("the meeting token is not valid")]
    BadToken,
    /// The chat or its thread is not named.
    #[error("the meeting's chat is not named")]
    NoThread,
    /// The meeting was called by somebody else.
    #[error("the meeting's organizer is another one")]
    OrganizerMismatch,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The meeting is another tenant's.
    #[error("the meeting is another tenant's")]
    TenantMismatch,
    /// Too many wrong numbers or passcodes were tried.
    #[error("too many wrong guesses")]
    TooManyGuesses(Duration),
    /// No meeting of the tenant has the number.
    #[error("no meeting has the number")]
    UnknownNumber,
    /// No meeting of the tenant has the thread.
    #[error("no meeting has the thread")]
    UnknownThread,
    /// The passcode is missing or wrong.
    #[error("the passcode is missing or wrong")]
    WrongPasscode,
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        Self(match error {
            ResolveError::BadToken => GraphError::bad_join_token(),
            ResolveError::NoThread | ResolveError::UnknownThread => GraphError::meeting_not_found(
                "No meeting of the tenant has this thread. Meetings are made with 'POST \
                 /users/{id}/onlineMeetings', or by a directory file.",
            ),
            ResolveError::OrganizerMismatch => {
                GraphError::meeting_not_found("The meeting of this thread was called by another organizer.")
            }
            ResolveError::Store(error) => return error.into(),
            ResolveError::TenantMismatch => GraphError::tenant_mismatch(),
            ResolveError::TooManyGuesses(wait) => GraphError::too_many_requests(wait),
            ResolveError::UnknownNumber => {
                GraphError::meeting_not_found("No meeting of the tenant has this joinMeetingId.")
            }
            ResolveError::WrongPasscode => GraphError::wrong_passcode(),
        })
    }
}

/// Finds the meeting that a call wants to join, in the tenant of its token.
///
/// Whether the application may join it is for the caller to decide; so is what is said to one that may not.
///
/// # Errors
///
/// [`ResolveError`] where there is none, or the request does not prove what it has to.
pub(crate) async fn resolve(
    state: &Shared,
    caller: &Caller,
    asked: &MeetingInfo,
    chat: Option<&ChatInfo>,
) -> Result<OnlineMeeting, ResolveError> {
    match asked {
        MeetingInfo::JoinMeetingId { join_meeting_id, passcode } => {
            by_number(state, caller, join_meeting_id, passcode.as_deref()).await
        }
        MeetingInfo::Organizer { organizer, .. } => {
            let named = organizer.user.as_ref();
            let tenant = named.and_then(|user| user.tenant_id.as_deref());
            if tenant.is_some_and(|named| !named.eq_ignore_ascii_case(caller.principal.tenant.as_str())) {
                return Err(ResolveError::TenantMismatch);
            }
            let chat = chat.ok_or(ResolveError::NoThread)?;
            let meeting = by_thread(state, caller, &chat.thread_id).await?;
            let id = named.and_then(|user| user.id.as_deref());
            let is_own = id.is_some_and(|id| id.eq_ignore_ascii_case(meeting.organizer.as_str()));
            if is_own { Ok(meeting) } else { Err(ResolveError::OrganizerMismatch) }
        }
        MeetingInfo::Token { token } => by_token(state, caller, token).await,
    }
}

/// Finds a meeting by its digits, which people write in groups, and its passcode where it has one.
async fn by_number(
    state: &Shared,
    caller: &Caller,
    number: &str,
    passcode: Option<&str>,
) -> Result<OnlineMeeting, ResolveError> {
    let number: String = number.split_whitespace().collect();
    let guess = Guess { tenant: &caller.principal.tenant, app: caller.app(), number: &number };
    let reserved = state.guesses.reserve(&guess, state.api.clock.elapsed());
    let reserved = reserved.map_err(ResolveError::TooManyGuesses)?;
    let key = MeetingKey::JoinMeetingId(number.clone());
    let meeting = match state.api.store.meeting(caller.principal.tenant.clone(), key).await {
        Ok(Some(meeting)) => meeting,
        Ok(None) => return Err(ResolveError::UnknownNumber),
        Err(error) => {
            reserved.give_back();
            return Err(error.into());
        }
    };
    let found = match (&meeting.passcode, passcode) {
        (None, _) => Ok(meeting),
        (Some(own), Some(said)) if identity::is_same_secret(own, said) => Ok(meeting),
        (Some(_), Some(_)) => return Err(ResolveError::WrongPasscode),
        // Nothing was guessed.
        (Some(_), None) => Err(ResolveError::WrongPasscode),
    };
    reserved.give_back();
    found
}

async fn by_thread(state: &Shared, caller: &Caller, thread: &str) -> Result<OnlineMeeting, ResolveError> {
    let key = MeetingKey::Thread(thread.to_owned());
    let found = state.api.store.meeting(caller.principal.tenant.clone(), key).await?;
    found.ok_or(ResolveError::UnknownThread)
}

async fn by_token(state: &Shared, caller: &Caller, token: &str) -> Result<OnlineMeeting, ResolveError> {
    let read = state.api.notification_signer.read_meeting_token(token, state.api.clock.now());
    let token = read.map_err(|_: MeetingTokenError| ResolveError::BadToken)?;
    if token.app != *caller.app() {
        return Err(ResolveError::BadToken);
    }
    if token.tenant != caller.principal.tenant {
        return Err(ResolveError::TenantMismatch);
    }
    by_thread(state, caller, &token.thread).await
}
