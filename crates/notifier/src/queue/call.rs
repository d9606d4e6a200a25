use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use model::{AppId, Notification};
use url::{Position, Url};

use super::lanes::Lane;
use super::schedule::Tries;

/// What is owed of one call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    pub(super) lane: Lane,
    /// What is in memory, in sequence and without a gap.
    pub(super) items: VecDeque<Arc<Notification>>,
    /// Whether the store holds more behind `last_sequence`.
    pub(super) is_behind: bool,
    /// The sequence of the last notification that is or was in memory.
    pub(super) last_sequence: u64,
    /// Whether the call's last notification exists.
    pub(super) is_over: bool,
    /// Whether the receiver wants no more of it.
    pub(super) is_stopped: bool,
    /// Where a redirect sent it.
    pub(super) redirect: Option<String>,
    /// How the first of what is owed has fared.
    pub(super) first: First,
}

/// How the first notification has fared. The others wait for it, so they have not been tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct First {
    pub(super) attempts: u32,
    pub(super) tries: Tries,
    /// Redirects that were followed since the last wait.
    pub(super) redirects: u32,
}

/// What happens with a call's first notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing; there is none, or it is about to be looked at.
    Idle,
    /// It has a slot, and the store is asked for it. `is_late` says that more was owed after it was asked.
    Loading { is_late: bool },
    /// It waits for a slot in its lane, or was read into one.
    Ready,
    /// It has a slot and is being sent.
    Sending,
    /// It is looked at again at that time.
    Waiting(Instant),
}

impl Call {
    /// A call of which everything that is owed is in the store.
    pub(super) fn forgotten(app: AppId, uri: &str) -> Self {
        Self { is_behind: true, ..Self::known(app, uri, 0) }
    }

    /// A call of which everything that is owed comes in order, behind a sequence.
    pub(super) fn known(app: AppId, uri: &str, last_sequence: u64) -> Self {
        Self {
            stage: Stage::Idle,
            lane: Lane { app, host: host(uri) },
            items: VecDeque::new(),
            is_behind: false,
            last_sequence,
            is_over: false,
            is_stopped: false,
            redirect: None,
            first: First::default(),
        }
    }

    pub(super) fn append(&mut self, notification: Arc<Notification>) {
        self.last_sequence = notification.sequence;
        self.is_over |= notification.is_last();
        self.items.push_back(notification);
    }

    /// Sends what is owed elsewhere; to be called without a slot, which belongs to the lane.
    pub(super) fn redirect(&mut self, uri: String) {
        self.lane.host = host(&uri);
        self.redirect = Some(uri);
    }

    /// Forgets the first notification, which is done with, and how it fared.
    pub(super) fn finish_first(&mut self) -> Option<Arc<Notification>> {
        self.first = First::default();
        self.items.pop_front()
    }

    /// Leaves what is owed to the store until it is its turn again; how many were forgotten.
    pub(super) fn forget(&mut self) -> usize {
        let Some(first) = self.items.front() else { return 0 };
        self.last_sequence = first.sequence.saturating_sub(1);
        self.is_behind = true;
        let count = self.items.len();
        self.items = VecDeque::new();
        count
    }

    /// Whether anything is owed.
    pub(super) fn is_owed(&self) -> bool {
        !self.items.is_empty() || self.is_behind
    }

    /// Whether nothing would be lost by forgetting this call.
    pub(super) fn is_done(&self) -> bool {
        // A call that lives may have more to say, and then where to, and whether at all, must be known.
        let is_plain = self.redirect.is_none() && !self.is_stopped;
        !self.is_owed() && (self.is_over || is_plain)
    }
}

fn host(uri: &str) -> String {
    Url::parse(uri).map(|url| url[Position::BeforeHost..Position::AfterPort].to_owned()).unwrap_or_default()
}
