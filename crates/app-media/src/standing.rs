//! Finds out how late an application is heard for nothing.
//!
//! An application that sends in real time is late for good by whatever its socket, or it itself, once stood still: the sound
//! of that time comes all at once, and is said behind the silence that was heard in its place. So while sound comes as fast as
//! it is said, what waits at all times can be made up for. An answer that is sent ahead comes faster, and keeps its pauses.

use std::time::Duration;

/// How long sound has to come at its own pace, and in how many pieces that is looked at: what comes at once and what comes
/// in pieces are told apart, and hiccups that come more often than this keep what they need.
const LOOKS: u32 = 3;
const LOOK: Duration = Duration::from_secs(1);
/// What the pace may be off by in each piece: an eighth, as with audio in pieces of 100 ms.
const PACE_SLACK: u32 = 8;
/// Frames that may always wait, for whatever is a little late.
const SPARE: u64 = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Standing {
    /// When the present look began, and samples that had ever been taken in then.
    since: Duration,
    accepted: u64,
    looks: u32,
    /// The fewest frames that waited since the first look.
    least: u64,
    surplus: u64,
}

impl Standing {
    pub(crate) const fn new() -> Self {
        Self { since: Duration::ZERO, accepted: 0, looks: 0, least: u64::MAX, surplus: 0 }
    }

    /// Begins anew, as where what waited is dropped.
    pub(crate) fn restart(&mut self, accepted: u64, now: Duration) {
        *self = Self { since: now, accepted, ..Self::new() };
    }

    /// Takes note of how many frames wait after one was taken, and of how many samples, at so many in a second, have ever
    /// been taken in.
    pub(crate) fn observe(&mut self, waiting: u64, (accepted, hz): (u64, u32), now: Duration) {
        if waiting <= SPARE {
            return self.restart(accepted, now);
        }
        self.least = self.least.min(waiting);
        let elapsed = now.saturating_sub(self.since);
        if elapsed < LOOK {
            return;
        }
        let came = Duration::from_millis((accepted - self.accepted) * 1000 / u64::from(hz));
        if elapsed.abs_diff(came) > elapsed / PACE_SLACK || elapsed > LOOK * 2 {
            return self.restart(accepted, now);
        }
        (self.since, self.accepted, self.looks) = (now, accepted, self.looks + 1);
        if self.looks == LOOKS {
            self.surplus = self.least - SPARE;
            (self.looks, self.least) = (0, u64::MAX);
        }
    }

    /// Whether frames that nobody would miss should be left out.
    pub(crate) const fn has_surplus(&self) -> bool {
        self.surplus > 0
    }

    /// Takes note of a frame that is left out.
    pub(crate) const fn leave_out(&mut self) {
        self.surplus = self.surplus.saturating_sub(1);
    }
}
