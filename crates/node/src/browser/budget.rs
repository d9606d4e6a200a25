//! How often the other end of a page may do something.

use tokio::time::Instant;

/// How often something may be done.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once.
    pub burst: f64,
    /// In a second after that.
    pub per_second: f64,
}

/// What may still be done.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Budget {
    /// All of it.
    pub const fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, left: rate.burst, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let earned = self.rate.per_second * now.duration_since(self.at).as_secs_f64();
        self.left = (self.left + earned).min(self.rate.burst);
        self.at = now;
    }

    /// Does it once; false where that is too often.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        let has_some = self.left >= 1.0;
        self.left -= f64::from(u8::from(has_some));
        has_some
    }

    /// Whether it has as much as at its beginning.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= self.rate.burst
    }
}
