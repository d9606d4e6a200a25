//! How fast messages may come.

use std::time::Duration;

/// Costs that may come at once. The longest audio that may wait, two minutes at 48 kHz in frames of 20 ms as JSON, costs 18,000;
/// twice that, so that it may be cleared and sent again.
const BURST: u64 = 40_000;
/// Costs in a second after that: more than ten times what audio in real time takes.
const PER_SECOND: u64 = 2_000;
/// Octets that cost as much as a message does by itself.
const OCTETS: u64 = 1024;

/// A leaky bucket of what messages cost: one each, and one for each started kibibyte after the first.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// In thousandths of a cost.
    level: u64,
    at: Duration,
}

impl Throttle {
    /// Whether a message of that size may come, and then counts it.
    pub(crate) fn pass(&mut self, octets: usize, now: Duration) -> bool {
        let leaked = now.saturating_sub(self.at).as_millis() as u64 * PER_SECOND;
        self.at = self.at.max(now);
        let level = self.level.saturating_sub(leaked) + (1 + octets as u64 / OCTETS) * 1000;
        if level > BURST * 1000 {
            return false;
        }
        self.level = level;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_a_flood_does_not_and_time_makes_room() {
        let mut throttle = Throttle::default();
        assert!((0..BURST).all(|_| throttle.pass(100, Duration::ZERO)));
        assert!(!throttle.pass(100, Duration::ZERO));
        assert!(throttle.pass(100, Duration::from_millis(1)));
        assert!((0..2 * PER_SECOND).all(|_| throttle.pass(100, Duration::from_secs(3))));
        assert!(!throttle.pass(50 * 1024 * 1024, Duration::from_secs(30)));
    }
}
