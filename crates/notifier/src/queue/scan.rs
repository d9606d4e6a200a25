use std::time::{Duration, Instant};

use model::CallId;

/// A row of what the store owes: its call and its sequence.
type Row = (CallId, u64);

/// How long to leave a store alone that has just failed. Arbitrary.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for places to become free. Arbitrary; it bounds how long a call is overlooked.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// The walk through all that the store owes: at the start, and whenever something had no place.
#[derive(Debug)]
pub(super) struct Scan {
    stage: Stage,
    /// Whether something was missed since it began, so that it has to begin again.
    is_again: bool,
    /// Whether it found what had no place.
    is_full: bool,
}

#[derive(Debug)]
enum Stage {
    /// Everything that is owed is known.
    Done,
    /// There were no places; it begins again then, or once fewer are taken.
    Full { below: usize, due: Instant },
    /// The store is asked for the page behind a row.
    Reading(Option<Row>),
    /// The store has failed; it is asked again then.
    Waiting(Option<Row>, Instant),
    /// The store is to be asked for the page behind a row.
    Wanted(Option<Row>),
}

impl Scan {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Wanted(None), is_again: false, is_full: false }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Reading(_))
    }

    /// Something was missed.
    pub(super) fn again(&mut self) {
        if self.is_done() {
            self.stage = Stage::Wanted(None);
        } else {
            self.is_again = true;
        }
    }

    /// Something that was found has no place.
    pub(super) fn full(&mut self) {
        self.is_full = true;
    }

    /// The row behind which to read next, if that is to be done while `taken` places are.
    pub(super) fn poll(&mut self, taken: usize) -> Option<Option<Row>> {
        let after = match self.stage {
            Stage::Full { below, .. } if taken < below => None,
            Stage::Wanted(after) => after,
            Stage::Done | Stage::Full { .. } | Stage::Reading(_) | Stage::Waiting(..) => return None,
        };
        if after.is_none() {
            (self.is_again, self.is_full) = (false, false);
        }
        self.stage = Stage::Reading(after);
        Some(after)
    }

    /// A page was taken in, up to its last row.
    pub(super) fn turned(&mut self, row: Option<Row>) {
        if let Stage::Reading(after) = self.stage {
            self.stage = Stage::Wanted(row.or(after));
        }
    }

    /// The last page was taken in; `taken` places are.
    pub(super) fn ended(&mut self, taken: usize, now: Instant) {
        self.stage = if self.is_full {
            Stage::Full { below: taken - taken / 4, due: now + FULL_PAUSE }
        } else if self.is_again {
            Stage::Wanted(None)
        } else {
            Stage::Done
        };
    }

    pub(super) fn failed(&mut self, now: Instant) {
        // From the beginning: the row that this page came after may be gone, and then the store knows no place for it.
        if let Stage::Reading(_) = self.stage {
            self.stage = Stage::Waiting(None, now + STORE_PAUSE);
        }
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Full { due, .. } | Stage::Waiting(_, due) => Some(due),
            Stage::Done | Stage::Reading(_) | Stage::Wanted(_) => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Full { due, .. } if due <= now => self.stage = Stage::Wanted(None),
            Stage::Waiting(after, due) if due <= now => self.stage = Stage::Wanted(after),
            Stage::Done | Stage::Full { .. } | Stage::Reading(_) | Stage::Waiting(..) | Stage::Wanted(_) => {}
        }
    }
}
