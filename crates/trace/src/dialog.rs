use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Message, Trace};

/// Messages that wait for whoever the SIP call belongs to: an INVITE, its challenge, the next INVITE, and what follows before a
/// task has it.
const MAX_EARLY: usize = 8;

/// Calls that one SIP call is shown in: those of a conversation of several.
const MAX_TRACES: usize = 8;

/// One SIP call, and in whose traces its messages are kept. Cheap to clone; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Dialog(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    /// It is these calls' traces, each with the number of the dialog there.
    Of(Vec<(Trace, u32)>),
    /// Nobody has it yet.
    Waiting(Vec<Message>),
}

impl Default for State {
    /// Nobody's.
    fn default() -> Self {
        Self::Of(Vec::new())
    }
}

impl Dialog {
    /// One that is nobody's, until it is given to somebody.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps its first messages for whoever gets it.
    pub fn waiting() -> Self {
        Self(Arc::new(Mutex::new(State::Waiting(Vec::new()))))
    }

    /// Keeps what comes from here on in the trace of a call, and in no other; what has waited, too.
    pub fn give_to(&self, trace: &Trace) {
        self.turn(std::slice::from_ref(trace));
    }

    /// The same for several calls.
    pub fn turn(&self, traces: &[Trace]) {
        let mut state = self.lock();
        let known = match &*state {
            State::Of(known) => known.clone(),
            State::Waiting(_) => Vec::new(),
        };
        let number = |trace: &Trace| {
            let there = known.iter().find(|(there, _)| there.is_same(trace));
            there.map_or_else(|| trace.begin_dialog(), |(_, number)| *number)
        };
        let of = traces.iter().take(MAX_TRACES).map(|trace| (trace.clone(), number(trace))).collect();
        if let State::Waiting(early) = std::mem::replace(&mut *state, State::Of(of)) {
            early.into_iter().for_each(|message| keep(&state, message));
        }
    }

    /// It is no call's.
    pub fn give_to_nobody(&self) {
        *self.lock() = State::default();
    }

    /// Whether a message would be kept.
    pub fn is_of_interest(&self) -> bool {
        match &*self.lock() {
            State::Of(traces) => !traces.is_empty(),
            State::Waiting(early) => early.len() < MAX_EARLY,
        }
    }

    /// Keeps a message.
    pub fn push(&self, message: Message) {
        let mut state = self.lock();
        match &mut *state {
            State::Waiting(early) if early.len() < MAX_EARLY => early.push(message),
            State::Waiting(_) => {}
            State::Of(_) => keep(&state, message),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(state: &State, message: Message) {
    let State::Of(traces) = state else { return };
    for (trace, dialog) in traces {
        trace.message(Message { dialog: *dialog, ..message.clone() });
    }
}
