use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attendant::{Guess, Guesses, Looked, Verdict, is_keyed};
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
        let verdict = context.guesses.lock().take(&guess, context.clock.now());
        if verdict == Verdict::Refused {
            tracing::info!(tenant.id = %self.tenant, "a caller has guessed too many meetings or passcodes");
            return not(Looked::TooManyGuesses);
        }
        let key = MeetingKey::JoinMeetingId(self.meeting.clone());
        let found = context.store.meeting(self.tenant.clone(), key).await;
        if matches!(found, Ok(None)) {
            context.guesses.lock().missed(&guess, context.clock.now());
        }
        let found = match (found, &self.passcode) {
            (Err(error), _) => {
                tracing::error!(%error, "failed to look up a meeting for a caller");
                not(Looked::Unavailable)
            }
            (Ok(found), passcode) if verdict == Verdict::Silent => match (found, passcode) {
                // Whatever it is: every id seems to need one.
                (_, None) => return not(Looked::NeedsPasscode),
                (Some(meeting), Some(keys)) if is_right(&meeting, keys) => admitted(meeting),
                (_, Some(_)) => return not(Looked::TooManyGuesses),
            },
            (Ok(None), _) => return not(Looked::UnknownMeeting),
            (Ok(Some(meeting)), Some(keys)) if meeting.passcode.is_some() && !is_right(&meeting, keys) => {
                return not(Looked::WrongPasscode);
            }
            (Ok(Some(meeting)), None) if meeting.passcode.is_some() => not(Looked::NeedsPasscode),
            (Ok(Some(meeting)), _) => admitted(meeting),
        };
        // Nothing was guessed wrong.
        context.guesses.lock().give_back(&guess, context.clock.now());
        found
    }
}

/// Whether the keys are the meeting's passcode.
fn is_right(meeting: &OnlineMeeting, keys: &str) -> bool {
    meeting.passcode.as_ref().is_some_and(|own| is_keyed(own, keys))
}

/// The caller knows all that is asked for.
fn admitted(meeting: OnlineMeeting) -> Found {
    if meeting.is_locked {
        return Found { looked: Looked::Locked, meeting: None };
    }
    Found { looked: Looked::Found, meeting: Some(Box::new(meeting)) }
}
