//! How late packets leave, and what was lost, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Width of a lateness bucket.
const BUCKET: Duration = Duration::from_micros(50);

/// Buckets; the last one takes everything from 10 ms on.
const BUCKETS: usize = 201;

/// What a thread counts while it runs.
#[derive(Debug)]
pub(crate) struct ThreadStats {
    lateness: [AtomicU64; BUCKETS],
    pub(crate) skipped_rounds: AtomicU64,
    pub(crate) dropped_tones: AtomicU64,
    pub(crate) send_errors: AtomicU64,
}

impl Default for ThreadStats {
    fn default() -> Self {
        Self {
            lateness: [const { AtomicU64::new(0) }; BUCKETS],
            skipped_rounds: AtomicU64::new(0),
            dropped_tones: AtomicU64::new(0),
            send_errors: AtomicU64::new(0),
        }
    }
}

impl ThreadStats {
    pub(crate) fn record_lateness(&self, late: Duration) {
        let bucket = (late.as_nanos() / BUCKET.as_nanos()).min(BUCKETS as u128 - 1) as usize;
        if let Some(count) = self.lateness.get(bucket) {
            add(count, 1);
        }
    }
}

/// Adds to a counter that only this thread writes.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// How long after their due time packets were handed to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    counts: [u64; BUCKETS],
}

impl Lateness {
    /// Packets counted.
    pub fn packets(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time within which `share` (0 to 1) of all packets left, rounded up to 50 us; 10.05 ms stands for
    /// more than 10 ms, and zero for no packets.
    pub fn quantile(&self, share: f64) -> Duration {
        let total = self.packets();
        let wanted = (total as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (count, upper) in self.counts.iter().zip(1u32..) {
            seen += count;
            if seen >= wanted && total > 0 {
                return BUCKET * upper;
            }
        }
        Duration::ZERO
    }
}

/// Counters of a plane since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaneStats {
    /// Over all packets of all threads.
    pub lateness: Lateness,
    /// Rounds left out because a thread stood still for too long.
    pub skipped_rounds: u64,
    /// Tones that were not reported because nobody took the events.
    pub dropped_tones: u64,
    /// Packets that the system did not take, or the other task of a piped leg not in time.
    pub send_errors: u64,
    /// Legs open.
    pub legs: usize,
    /// Mixers open.
    pub mixers: usize,
}

impl PlaneStats {
    /// What has been counted since `before`; of what is open, what is open now.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.lateness.counts.iter_mut().zip(before.lateness.counts) {
            *count = count.wrapping_sub(before);
        }
        since.skipped_rounds = self.skipped_rounds.wrapping_sub(before.skipped_rounds);
        since.dropped_tones = self.dropped_tones.wrapping_sub(before.dropped_tones);
        since.send_errors = self.send_errors.wrapping_sub(before.send_errors);
        since
    }

    pub(crate) fn sum<'a>(
        threads: impl Iterator<Item = &'a ThreadStats>,
        legs: usize,
        mixers: usize,
    ) -> Self {
        let lateness = Lateness { counts: [0; BUCKETS] };
        let mut all = Self { lateness, skipped_rounds: 0, dropped_tones: 0, send_errors: 0, legs, mixers };
        for thread in threads {
            for (sum, count) in all.lateness.counts.iter_mut().zip(&thread.lateness) {
                *sum += count.load(Ordering::Relaxed);
            }
            all.skipped_rounds += thread.skipped_rounds.load(Ordering::Relaxed);
            all.dropped_tones += thread.dropped_tones.load(Ordering::Relaxed);
            all.send_errors += thread.send_errors.load(Ordering::Relaxed);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_read_from_the_buckets() {
        let stats = ThreadStats::default();
        for micros in 0..100 {
            stats.record_lateness(Duration::from_micros(micros * 10));
        }
        stats.record_lateness(Duration::from_secs(1));

        let lateness = PlaneStats::sum([&stats].into_iter(), 0, 0).lateness;

        assert_eq!(lateness.packets(), 101);
        assert_eq!(lateness.quantile(0.5), Duration::from_micros(550));
        assert_eq!(lateness.quantile(1.0), Duration::from_micros(10_050));
    }

    #[test]
    fn what_was_counted_before_is_left_out() {
        let stats = ThreadStats::default();
        let sum = || PlaneStats::sum([&stats].into_iter(), 0, 0);
        stats.record_lateness(Duration::from_secs(1));
        add(&stats.skipped_rounds, 3);
        let before = sum();
        stats.record_lateness(Duration::from_micros(10));
        add(&stats.skipped_rounds, 1);

        let since = sum().since(&before);

        assert_eq!((since.lateness.packets(), since.skipped_rounds), (1, 1));
        assert_eq!(since.lateness.quantile(1.0), Duration::from_micros(50));
    }

    #[test]
    fn nothing_counted_is_zero() {
        let lateness = PlaneStats::sum([].into_iter(), 0, 0).lateness;
        assert_eq!(lateness.quantile(0.99), Duration::ZERO);
    }
}
