use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use model::{AppId, Notification};
use store::CallbackRedirect;
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
    /// Where a redirect sent it, and of what.
    pub(super) redirect: Option<CallbackRedirect>,
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

    /// Where a notification goes. A redirect stands for the place that it came from, so that an application which
    /// names another one later on is told there.
    pub(super) fn target<'a>(&'a self, notification: &'a Notification) -> &'a str {
        match &self.redirect {
            Some(CallbackRedirect { from, to }) if *from == notification.callback_uri => to,
            Some(_) | None => &notification.callback_uri,
        }
    }

    /// Whether the lane is that of the host to which the first notification goes, as far as that is in memory.
    pub(super) fn is_in_its_lane(&self) -> bool {
        self.items.front().is_none_or(|first| host(self.target(first)) == self.lane.host)
    }

    /// Goes into that lane; to be called without a slot, which belongs to the lane.
    pub(super) fn change_lane(&mut self) {
        if let Some(first) = self.items.front() {
            self.lane.host = host(self.target(first));
        }
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
