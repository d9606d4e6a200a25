use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Message, Trace};

/// Messages that wait for whoever the SIP call belongs to: an INVITE, its challenge, the next INVITE, and what follows before a
/// task has it.
const MAX_EARLY: usize = 8;

/// In whose trace the messages of a SIP call are kept. Cheap to clone; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Dialog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// In nobody's.
    #[default]
    Nobodys,
    /// In this call's.
    Of(Trace),
    /// It is not known yet.
    Waiting(Vec<Message>),
}

impl Dialog {
    /// One that is nobody's, until it is given to somebody.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps its first messages for whoever gets it.
    pub(crate) fn waiting() -> Self {
        Self(Arc::new(Mutex::new(State::Waiting(Vec::new()))))
    }

    /// Keeps what comes from here on in the trace of a call; what has waited, too.
    pub fn give_to(&self, trace: &Trace) {
        if !trace.is_on() {
            return self.give_to_nobody();
        }
        let before = std::mem::replace(&mut *self.lock(), State::Of(trace.clone()));
        if let State::Waiting(early) = before {
            early.into_iter().for_each(|message| trace.message(message));
        }
    }

    /// It is no call's.
    pub fn give_to_nobody(&self) {
        *self.lock() = State::Nobodys;
    }

    /// Whether a message would be kept.
    pub fn is_of_interest(&self) -> bool {
        match &*self.lock() {
            State::Nobodys => false,
            State::Of(_) => true,
            State::Waiting(early) => early.len() < MAX_EARLY,
        }
    }

    /// Keeps a message.
    pub fn push(&self, message: Message) {
        let trace = match &mut *self.lock() {
            State::Waiting(early) => {
                if early.len() < MAX_EARLY {
                    early.push(message);
                }
                return;
            }
            State::Nobodys => return,
            State::Of(trace) => trace.clone(),
        };
        trace.message(message);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
