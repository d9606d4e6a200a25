use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// The one place of this crate where clocks are read.
///
/// Wall time is read once; after that the monotonic clock carries it on, so that deadlines never jump.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Reads both clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    pub fn start() -> Self {
        Self { started: Instant::now(), started_at: wall(SystemTime::now()) }
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.started_at.after(self.elapsed())
    }

    /// The wall clock's moment, for what is compared with the clocks of others: tokens, files.
    ///
    /// It follows the system's clock, which may jump; [`Clock::now`] does not, and deadlines go by that.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    pub fn wall(&self) -> Timestamp {
        wall(SystemTime::now())
    }

    /// How long this clock has run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The runtime's instant of a moment; the present for one that has passed.
    pub(crate) fn instant_of(&self, at: Timestamp) -> tokio::time::Instant {
        self.instant_of_elapsed(at.since(self.started_at))
    }

    /// The runtime's instant at which this clock will have run that long.
    pub(crate) fn instant_of_elapsed(&self, elapsed: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + elapsed)
    }
}

fn wall(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
