use std::sync::Arc;

use model::{Attempt, NotificationState, Timestamp};

use crate::Message;

/// Something that happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts the call's entries from 1.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about.
    pub lane: Lane,
    /// What happened, in a word of the lane.
    pub what: &'static str,
    /// More of it, for people. Parts of it may be a stranger's.
    pub text: Option<Box<str>>,
    /// The operation's id, or the notification's sequence.
    pub reference: Option<Box<str>>,
}

impl Entry {
    /// What it takes of memory, about.
    pub(crate) fn octets(&self) -> usize {
        let length = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        size_of::<Self>() + length(&self.text) + length(&self.reference)
    }
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The application's own program, where it hosts the media.
    Application,
    /// The conversation of several that the call is in.
    Conference,
    /// The connection to the other party.
    Leg,
    /// What the application is told.
    Notification,
    /// What the application asked for.
    Operation,
    /// The call's state.
    State,
    /// Keys.
    Tone,
}

impl Lane {
    /// The lane as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Conference => "conference",
            Self::Leg => "leg",
            Self::Notification => "notification",
            Self::Operation => "operation",
            Self::State => "state",
            Self::Tone => "tone",
        }
    }
}

/// What somebody who looks is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// There is one more entry.
    Entry(Box<Entry>),
    /// There is one more message.
    Message(Arc<Message>),
    /// A notification came to be, or was tried.
    Notification {
        /// Its sequence.
        sequence: u64,
        /// How it was tried; it may not be stored yet.
        tried: Option<Box<Tried>>,
    },
}

/// A try to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The try.
    pub attempt: Attempt,
    /// Where the delivery stands after it; `None` where somebody asked for it, which changes nothing of that.
    pub state: Option<NotificationState>,
}
