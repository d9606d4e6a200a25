//! How long packets should wait: the network's delay variation, learnt from the packets.

use std::time::Duration;

use crate::FRAME_MS;

/// Width of a step of the histogram.
const STEP_MS: u32 = 5;
/// Steps of the histogram; the last holds everything from 235 ms on.
const STEPS: usize = 48;
/// Share of packets that should be in time.
const IN_TIME: f32 = 0.97;
/// How much of the past remains after each packet; at 50 packets a second half is forgotten in 5 s.
const MEMORY: f32 = 0.997;
/// Before this many packets the target does not sink below [`CAUTIOUS_MS`].
const CAUTIOUS_PACKETS: u32 = 50;
const CAUTIOUS_MS: u32 = 40;
/// The least delay is the lowest of the present and the previous period, so that clock drift is followed.
const PERIOD: Duration = Duration::from_secs(2);
/// How long a network is watched before it is called calm: the present stretch and the two before it, of so many packets each
/// at least.
const STRETCH: Duration = Duration::from_secs(5);
const STRETCH_PACKETS: u32 = 50;

/// Learns from each packet's transit time: arrival less timestamp, in timestamp units of an arbitrary zero.
#[derive(Debug)]
pub(crate) struct DelayEstimator {
    ticks_per_ms: i64,
    histogram: [f32; STEPS],
    packets: u32,
    lowest: i64,
    previous_lowest: i64,
    period_end: Option<Duration>,
    target_ms: u32,
    calm: Calm,
}

/// The latest packets of late, not only most of them.
#[derive(Debug)]
struct Calm {
    began: Option<Duration>,
    packets: u32,
    /// The most by which packets came later than the least delay: in this stretch, and in the two before.
    latest: i64,
    before: [Option<i64>; 2],
}

impl Calm {
    const NEW: Self = Self { began: None, packets: 0, latest: 0, before: [None; 2] };

    fn observe(&mut self, over: i64, now: Duration) {
        let began = *self.began.get_or_insert(now);
        self.packets += 1;
        self.latest = self.latest.max(over);
        if now.saturating_sub(began) >= STRETCH && self.packets >= STRETCH_PACKETS {
            let before = [Some(self.latest), self.before[0]];
            *self = Self { began: Some(now), before, ..Self::NEW };
        }
    }

    fn latest(&self) -> Option<i64> {
        Some(self.latest.max(self.before[0]?).max(self.before[1]?))
    }
}

impl DelayEstimator {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            ticks_per_ms: i64::from(clock_rate / 1000),
            histogram: [0.0; STEPS],
            packets: 0,
            lowest: i64::MAX,
            previous_lowest: i64::MAX,
            period_end: None,
            target_ms: CAUTIOUS_MS,
            calm: Calm::NEW,
        }
    }

    /// Forgets the least delay, for a stream with other timestamps; what is known of the network stays.
    pub(crate) fn rebase(&mut self) {
        (self.lowest, self.previous_lowest, self.period_end) = (i64::MAX, i64::MAX, None);
        self.packets = 0;
        self.calm = Calm::NEW;
    }

    /// Takes note that a packet was missed.
    pub(crate) fn disturb(&mut self) {
        self.calm = Calm::NEW;
    }

    /// The least transit time of late, once a packet has come.
    pub(crate) fn base(&self) -> Option<i64> {
        let base = self.lowest.min(self.previous_lowest);
        (base != i64::MAX).then_some(base)
    }

    /// Takes a packet's transit time.
    pub(crate) fn observe(&mut self, transit: i64, now: Duration) {
        if self.period_end.is_none_or(|end| now >= end) {
            if self.period_end.is_some() {
                self.previous_lowest = self.lowest;
            }
            self.lowest = i64::MAX;
            self.period_end = Some(now + PERIOD);
        }
        self.lowest = self.lowest.min(transit);
        let over = transit.saturating_sub(self.base().unwrap_or(transit));
        self.calm.observe(over, now);
        let step = usize::try_from(over / self.ticks_per_ms / i64::from(STEP_MS)).unwrap_or(0);
        self.packets = self.packets.saturating_add(1);
        let memory = MEMORY.min(1.0 - 1.0 / (self.packets as f32 + 1.0));
        for (i, share) in self.histogram.iter_mut().enumerate() {
            let is_here = i == step.min(STEPS - 1);
            *share = *share * memory + if is_here { 1.0 - memory } else { 0.0 };
        }
        self.target_ms = self.compute_target();
    }

    /// How long a packet of least delay should wait until it is played.
    pub(crate) fn target_ms(&self) -> u32 {
        self.target_ms
    }

    /// The same in timestamp units.
    pub(crate) fn target_ticks(&self) -> i64 {
        i64::from(self.target_ms) * self.ticks_per_ms
    }

    /// With how much delay, in timestamp units, all packets of late would have been in time, where none was missed.
    pub(crate) fn calm_target_ticks(&self) -> Option<i64> {
        let least = i64::from(FRAME_MS + STEP_MS) * self.ticks_per_ms;
        self.calm.latest().map(|latest| (least + latest).max(self.target_ticks()))
    }

    /// One frame, because the frame that is pulled may end in a packet one frame younger than where it begins, and
    /// the delay variation that [`IN_TIME`] of the packets stay under.
    fn compute_target(&self) -> u32 {
        let total: f32 = self.histogram.iter().sum();
        let mut sum = 0.0;
        let mut steps = 0;
        for share in self.histogram {
            sum += share;
            steps += 1;
            if sum >= total * IN_TIME {
                break;
            }
        }
        let target = FRAME_MS + steps * STEP_MS;
        if self.packets < CAUTIOUS_PACKETS { target.max(CAUTIOUS_MS) } else { target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(estimator: &mut DelayEstimator, packets: u32, delay_ms: impl Fn(u32) -> i64) {
        for n in 0..packets {
            estimator.observe(1_000_000 + delay_ms(n) * 8, Duration::from_millis(u64::from(n) * 20));
        }
    }

    #[test]
    fn a_calm_network_needs_little_more_than_a_frame() {
        let mut estimator = DelayEstimator::new(8000);
        feed(&mut estimator, 10, |_| 0);
        assert_eq!(estimator.target_ms(), 40);
        feed(&mut estimator, 200, |_| 0);
        assert_eq!(estimator.target_ms(), 25);
    }

    #[test]
    fn the_target_covers_the_variation_and_forgets_it() {
        let mut estimator = DelayEstimator::new(8000);
        feed(&mut estimator, 500, |n| i64::from(n * 37 % 80));
        assert!((90..=110).contains(&estimator.target_ms()), "{}", estimator.target_ms());
        feed(&mut estimator, 3000, |_| 0);
        assert_eq!(estimator.target_ms(), 25);
    }

    #[test]
    fn a_network_is_calm_after_two_stretches_and_all_packets_count() {
        let mut estimator = DelayEstimator::new(8000);
        feed(&mut estimator, 500, |_| 0);
        assert_eq!(estimator.calm_target_ticks(), None);
        estimator = DelayEstimator::new(8000);
        feed(&mut estimator, 501, |n| if n == 10 { 30 } else { 0 });
        assert_eq!((estimator.target_ms(), estimator.calm_target_ticks()), (25, Some(8 * 55)));
        estimator.disturb();
        assert_eq!(estimator.calm_target_ticks(), None);
    }

    #[test]
    fn the_base_follows_a_slow_sender() {
        let mut estimator = DelayEstimator::new(8000);
        // Half a tick each packet: 400 times as fast as a bad crystal drifts.
        for n in 0..2000_i64 {
            estimator.observe(n / 2, Duration::from_millis(n as u64 * 20));
        }
        assert!(estimator.base().unwrap() > 890);
        assert!(estimator.target_ms() <= 45, "{}", estimator.target_ms());
    }
}
