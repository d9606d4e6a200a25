use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use model::{Call, CallId, CallState, MediaState, NotificationState, Outcome, Timestamp};
use tokio::sync::broadcast;

use crate::bounded::Bounded;
use crate::recorder::Shared;
use crate::{Entry, Event, Lane, Limits, Message, Summary, Tried};

/// Events that may wait for somebody who looks.
const WAITING: usize = 256;

/// SIP calls of a call that are told apart.
const MAX_DIALOGS: usize = 64;

/// Characters of an entry's text that are kept.
const MAX_TEXT_CHARS: usize = 200;

/// What happened to a call. Cheap to clone; clones are the same one.
#[derive(Clone, Debug)]
pub struct Trace(Option<Arc<Inner>>);

#[derive(Debug)]
pub(crate) struct Inner {
    shared: Weak<Shared>,
    number: u64,
    pub(crate) call: CallId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    call: Option<Arc<Call>>,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    is_over: bool,
    /// Whether it has made room for others: nothing is kept any more.
    is_forgotten: bool,
    octets: usize,
    entries: Bounded<Entry>,
    last_entry: u64,
    messages: Bounded<Arc<Message>>,
    last_message: u64,
    /// The Call-IDs of its SIP calls, in the order in which they came.
    dialogs: Vec<Box<str>>,
    watched: Option<broadcast::Sender<Event>>,
}

/// What a trace holds at a moment.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The call at a glance; `None` until it was stored.
    pub summary: Option<Summary>,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How many entries are missing.
    pub entries_dropped: u64,
    /// SIP messages, in order.
    pub messages: Vec<Arc<Message>>,
    /// How many are missing.
    pub messages_dropped: u64,
}

/// A trace that is being written; the call is over when this is dropped.
#[derive(Debug)]
pub struct Recording(Trace);

impl Recording {
    pub(crate) const fn new(inner: Option<Arc<Inner>>) -> Self {
        Self(Trace(inner))
    }
}

impl Deref for Recording {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.0
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(inner) = &self.0.0 {
            inner.lock().is_over = true;
            if let Some(shared) = inner.shared.upgrade() {
                shared.ended(inner.number);
            }
        }
    }
}

impl Trace {
    pub(crate) const fn of(inner: Arc<Inner>) -> Self {
        Self(Some(inner))
    }

    /// Keeps nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether anything is kept; what is costly to make need not be made where nothing is.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps that something happened.
    pub fn note(&self, at: Timestamp, lane: Lane, what: &'static str, text: Option<&str>) {
        self.note_of(at, lane, (what, text), None);
    }

    /// The same with what it is about: the operation's id, or the notification's sequence.
    pub fn note_of(
        &self,
        at: Timestamp,
        lane: Lane,
        (what, text): (&'static str, Option<&str>),
        reference: Option<&str>,
    ) {
        let Some(inner) = &self.0 else { return };
        let text = text.map(|text| text.chars().take(MAX_TEXT_CHARS).collect::<String>().into());
        let entry = Entry { sequence: 0, at, lane, what, text, reference: reference.map(Into::into) };
        inner.keep(entry);
    }

    /// Keeps a change of the call that is durable, and tells of it.
    pub fn changed(&self, at: Timestamp, call: &Arc<Call>) {
        let Some(inner) = &self.0 else { return };
        let (before, summary) = {
            let mut state = inner.lock();
            let before = state.call.replace(Arc::clone(call));
            if call.state == CallState::Established && state.answered_at.is_none() {
                state.answered_at = Some(at);
            }
            if call.state == CallState::Terminated && state.ended_at.is_none() {
                state.ended_at = Some(at);
            }
            (before, state.summary())
        };
        let before_state = before.as_ref().map(|before| before.state);
        if before_state != Some(call.state) {
            let why = call.outcome.map(Outcome::result_info).map(|result| result.message);
            self.note(at, Lane::State, state_word(call.state), why.as_deref());
        }
        let is_held = |call: &Call| {
            call.state == CallState::Established && call.media_state == Some(MediaState::Inactive)
        };
        let was_held = before.as_deref().is_some_and(is_held);
        match (was_held, is_held(call)) {
            (false, true) => self.note(at, Lane::State, "held", None),
            (true, false) if call.state == CallState::Established => {
                self.note(at, Lane::State, "resumed", None);
            }
            (true, false) | (true, true) | (false, false) => {}
        }
        if let (Some(summary), Some(shared)) = (summary, inner.shared.upgrade()) {
            // Nobody may look.
            let _ = shared.changes.send(summary);
        }
    }

    /// Keeps that a notification came to be.
    pub fn queued(&self, at: Timestamp, sequence: u64, text: &str) {
        let Some(inner) = &self.0 else { return };
        self.note_of(at, Lane::Notification, ("queued", Some(text)), Some(&sequence.to_string()));
        inner.tell(|| Event::Notification { sequence, tried: None });
    }

    /// Keeps that a notification was tried.
    pub fn tried(&self, sequence: u64, tried: Tried) {
        let Some(inner) = &self.0 else { return };
        let attempt = &tried.attempt;
        let how = match (attempt.status, &attempt.error) {
            (Some(status), _) => format!("{status} in {} ms", attempt.duration_ms),
            (None, Some(error)) => error.clone(),
            (None, None) => "no answer".to_owned(),
        };
        let what = match tried.state {
            None => "resend",
            Some(NotificationState::Delivered) => "delivered",
            Some(NotificationState::Abandoned) => "abandoned",
            Some(NotificationState::Pending) => "attempt",
        };
        let at = attempt.at.after(std::time::Duration::from_millis(attempt.duration_ms.into()));
        self.note_of(at, Lane::Notification, (what, Some(&how)), Some(&sequence.to_string()));
        inner.tell(|| Event::Notification { sequence, tried: Some(Box::new(tried)) });
    }

    /// What it holds.
    pub fn show(&self) -> Shown {
        let Some(inner) = &self.0 else { return Shown::default() };
        let state = inner.lock();
        Shown {
            summary: state.summary(),
            entries: state.entries.iter().cloned().collect(),
            entries_dropped: state.entries.dropped(),
            messages: state.messages.iter().cloned().collect(),
            messages_dropped: state.messages.dropped(),
        }
    }

    /// The call at a glance.
    pub fn summary(&self) -> Option<Summary> {
        self.0.as_ref()?.lock().summary()
    }

    /// Is told of what happens from here on. Whoever does not keep up is told so, and should look anew.
    pub fn watch(&self) -> Option<broadcast::Receiver<Event>> {
        let mut state = self.0.as_ref()?.lock();
        let watched = state.watched.get_or_insert_with(|| broadcast::channel(WAITING).0);
        Some(watched.subscribe())
    }

    pub(crate) fn message(&self, message: Message) {
        if let Some(inner) = &self.0 {
            inner.keep_message(message);
        }
    }
}

impl Inner {
    pub(crate) fn new(shared: Weak<Shared>, number: u64, call: CallId, limits: Limits) -> Self {
        let state = State {
            call: None,
            answered_at: None,
            ended_at: None,
            is_over: false,
            is_forgotten: false,
            octets: 0,
            entries: Bounded::new(limits.entries),
            last_entry: 0,
            messages: Bounded::new(limits.messages),
            last_message: 0,
            dialogs: Vec::new(),
            watched: None,
        };
        Self { shared, number, call, state: Mutex::new(state) }
    }

    pub(crate) fn live_summary(&self) -> Option<Summary> {
        let state = self.lock();
        state.summary().filter(|summary| !state.is_over && summary.ended_at.is_none())
    }

    /// Drops what it holds, and says how much that was.
    pub(crate) fn forget(&self) -> usize {
        let mut state = self.lock();
        state.is_forgotten = true;
        state.entries.clear();
        state.messages.clear();
        std::mem::take(&mut state.octets)
    }

    /// Room is taken before the trace is locked, as whoever needs room locks others.
    fn has_room(&self, octets: usize) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.reserve(octets))
    }

    fn release(&self, octets: usize) {
        if let Some(shared) = self.shared.upgrade() {
            shared.release(octets);
        }
    }

    fn keep(&self, entry: Entry) {
        let octets = entry.octets();
        let has_room = self.has_room(octets);
        let mut state = self.lock();
        if state.is_forgotten || !has_room {
            state.entries.skip();
            drop(state);
            if has_room {
                self.release(octets);
            }
            return;
        }
        state.last_entry += 1;
        let entry = Entry { sequence: state.last_entry, ..entry };
        state.tell(|| Event::Entry(Box::new(entry.clone())));
        let freed = state.entries.push(entry).map_or(0, |gone| gone.octets());
        state.octets = (state.octets + octets).saturating_sub(freed);
        drop(state);
        self.release(freed);
    }

    fn keep_message(&self, message: Message) {
        let octets = message.octets();
        let has_room = self.has_room(octets);
        let mut state = self.lock();
        if state.is_forgotten || !has_room {
            state.messages.skip();
            drop(state);
            if has_room {
                self.release(octets);
            }
            return;
        }
        state.last_message += 1;
        let dialog = state.dialog_of(&message);
        let message = Arc::new(Message { sequence: state.last_message, dialog, ..message });
        state.tell(|| Event::Message(Arc::clone(&message)));
        let freed = state.messages.push(message).map_or(0, |gone| gone.octets());
        state.octets = (state.octets + octets).saturating_sub(freed);
        drop(state);
        self.release(freed);
    }

    fn tell(&self, event: impl FnOnce() -> Event) {
        self.lock().tell(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn summary(&self) -> Option<Summary> {
        let call = self.call.clone()?;
        Some(Summary { call, answered_at: self.answered_at, ended_at: self.ended_at })
    }

    /// The number of a message's SIP call; the last one is that of all that come after it.
    fn dialog_of(&mut self, message: &Message) -> u32 {
        let known = self.dialogs.iter().position(|call_id| *call_id == message.call_id);
        let index = known.unwrap_or_else(|| {
            if self.dialogs.len() < MAX_DIALOGS {
                self.dialogs.push(message.call_id.clone());
            }
            self.dialogs.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    /// Tells those who look; what is told is made for them only.
    fn tell(&mut self, event: impl FnOnce() -> Event) {
        let is_watched = self.watched.as_ref().is_some_and(|watched| watched.receiver_count() > 0);
        if !is_watched {
            self.watched = None;
        } else if let Some(watched) = &self.watched {
            let _ = watched.send(event());
        }
    }
}

/// A state as the API writes it.
const fn state_word(state: CallState) -> &'static str {
    match state {
        CallState::Established => "established",
        CallState::Establishing => "establishing",
        CallState::Incoming => "incoming",
        CallState::Redirecting => "redirecting",
        CallState::Terminated => "terminated",
        CallState::Terminating => "terminating",
        CallState::TransferAccepted => "transferAccepted",
        CallState::Transferring => "transferring",
    }
}
