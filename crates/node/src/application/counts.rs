use std::sync::atomic::{AtomicU64, Ordering};

use app_media::{Ended, Lost};

/// What happened to the media of applications since the start.
#[derive(Debug, Default)]
pub(crate) struct ApplicationCounts {
    attached: AtomicU64,
    lost: AtomicU64,
    violations: AtomicU64,
    abandoned: AtomicU64,
    offers: AtomicU64,
    tokens_refused: AtomicU64,
    frames_dropped: AtomicU64,
}

/// What happened to the media of applications since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplicationStats {
    /// WebSockets that were connected.
    pub sockets_attached: u64,
    /// WebSockets that broke or were closed by the application while the call went on.
    pub sockets_lost: u64,
    /// WebSockets that the server closed, as the application did what it must not.
    pub violations: u64,
    /// Calls that ended because their application did not come, or did not come back.
    pub abandoned: u64,
    /// Offers of SDP that were answered.
    pub offers: u64,
    /// One-time tokens that were not good.
    pub tokens_refused: u64,
    /// Pieces of audio that were lost because applications did not read them in time.
    pub frames_dropped: u64,
}

impl ApplicationCounts {
    pub(crate) fn attached(&self) {
        add(&self.attached, 1);
    }

    pub(crate) fn lost(&self, lost: &Lost) {
        add(
            match lost {
                Lost::Broken | Lost::Closed { .. } => &self.lost,
                Lost::Violation(_) => &self.violations,
            },
            1,
        );
    }

    pub(crate) fn ended(&self, ended: &Ended) {
        add(&self.frames_dropped, ended.counts.frames_lost);
    }

    pub(crate) fn abandoned(&self) {
        add(&self.abandoned, 1);
    }

    pub(crate) fn offer_answered(&self) {
        add(&self.offers, 1);
    }

    pub(crate) fn token_refused(&self) {
        add(&self.tokens_refused, 1);
    }

    pub(crate) fn stats(&self) -> ApplicationStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ApplicationStats {
            sockets_attached: read(&self.attached),
            sockets_lost: read(&self.lost),
            violations: read(&self.violations),
            abandoned: read(&self.abandoned),
            offers: read(&self.offers),
            tokens_refused: read(&self.tokens_refused),
            frames_dropped: read(&self.frames_dropped),
        }
    }
}

fn add(count: &AtomicU64, n: u64) {
    count.fetch_add(n, Ordering::Relaxed);
}
