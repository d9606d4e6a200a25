use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attendant::{Guess, Guesses, Looked, is_keyed};
use model::{OnlineMeeting, TenantId};
use store::MeetingKey;

use crate::context::Context;

/// What callers have guessed wrong, in all of their calls to this node.
#[derive(Clone, Default)]
pub(crate) struct GuessLimit(Arc<Mutex<Guesses>>);

impl GuessLimit {
    fn lock(&self) -> MutexGuard<'_, Guesses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller has keyed in.
pub(super) struct Question {
    pub(super) tenant: TenantId,
    /// Who guesses; `None` where that is withheld.
    pub(super) caller: Option<String>,
    pub(super) meeting: String,
    pub(super) passcode: Option<String>,
}

/// What there is.
pub(super) struct Found {
    pub(super) looked: Looked,
    /// The meeting, where the caller may join it.
    pub(super) meeting: Option<Box<OnlineMeeting>>,
}

impl Question {
    /// Looks for the meeting, as the API does for applications: who knows an id learns whether it needs a passcode, and
    /// that it is locked only with that.
    pub(super) async fn look_up(self, context: &Context) -> Found {
        let guess = Guess { tenant: &self.tenant, caller: self.caller.as_deref(), meeting: &self.meeting };
        let not = |looked| Found { looked, meeting: None };
        if !context.guesses.lock().take(&guess, context.clock.now()) {
            tracing::info!(tenant.id = %self.tenant, "a caller has guessed too many meetings or passcodes");
            return not(Looked::TooManyGuesses);
        }
        let key = MeetingKey::JoinMeetingId(self.meeting.clone());
        let found = match context.store.meeting(self.tenant.clone(), key).await {
            Ok(None) => return not(Looked::UnknownMeeting),
            Ok(Some(meeting)) => match (&meeting.passcode, &self.passcode) {
                (Some(own), Some(keys)) if !is_keyed(own, keys) => return not(Looked::WrongPasscode),
                (Some(_), None) => not(Looked::NeedsPasscode),
                (Some(_), Some(_)) | (None, _) if meeting.is_locked => not(Looked::Locked),
                (Some(_), Some(_)) | (None, _) => {
                    Found { looked: Looked::Found, meeting: Some(Box::new(meeting)) }
                }
            },
            Err(error) => {
                tracing::error!(%error, "failed to look up a meeting for a caller");
                not(Looked::Unavailable)
            }
        };
        // Nothing was guessed wrong.
        context.guesses.lock().give_back(&guess, context.clock.now());
        found
    }
}
