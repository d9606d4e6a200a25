//! The only place that reads clocks, and the 20 ms round cut into slots.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// One round of the clock: every leg has one tick in it.
pub(crate) const ROUND: Duration = Duration::from_millis(media_engine::FRAME_MS as u64);

/// Slots in a round. A leg ticks in the least loaded one, so that a thousand packets do not pile up on one
/// instant.
pub(crate) const SLOTS: usize = 20;

/// Length of a slot.
pub(crate) const SLOT: Duration = Duration::from_millis(media_engine::FRAME_MS as u64 / SLOTS as u64);

/// Rounds that a late thread catches up on; what is older is left out, since nobody could use it any more.
const MAX_CATCH_UP_ROUNDS: u32 = 5;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_OFFSET_S: u64 = 2_208_988_800;

/// Time since an arbitrary instant; never goes back.
pub(crate) fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// NTP time, 32.32 fixed point.
pub(crate) fn ntp() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    ((now.as_secs() + NTP_OFFSET_S) << 32) | fraction
}

/// Processor time of the process less that of the calling thread.
pub(crate) fn cpu_elsewhere() -> Duration {
    let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(read(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

pub(crate) fn timespec(at: Duration) -> TimeSpec {
    TimeSpec::from_duration(at)
}

/// Which slot is due, on an absolute grid, so that lateness never adds up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    start: Duration,
    next: u64,
}

impl Slots {
    pub(crate) fn new(now: Duration) -> Self {
        Self { start: now, next: 0 }
    }

    /// The slot's place in the round, and its due time, `ahead` slots from the next one.
    pub(crate) fn peek(&self, ahead: usize) -> (usize, Duration) {
        let number = self.next + ahead as u64;
        let nanos = number.saturating_mul(SLOT.as_nanos() as u64);
        ((number % SLOTS as u64) as usize, self.start + Duration::from_nanos(nanos))
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    /// Gives up the rounds that are too far behind, or all that are past where nothing is `pending`; returns
    /// how many.
    pub(crate) fn skip(&mut self, now: Duration, is_pending: bool) -> u64 {
        let behind = now.saturating_sub(self.peek(0).1);
        let slack = if is_pending { ROUND * MAX_CATCH_UP_ROUNDS } else { Duration::ZERO };
        if behind <= slack {
            return 0;
        }
        let rounds = (behind.as_nanos() / ROUND.as_nanos()) as u64;
        self.next += rounds * SLOTS as u64;
        rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slots_lie_on_a_grid_that_lateness_does_not_move() {
        let mut slots = Slots::new(MS * 1000);
        for number in 0..45u32 {
            let (place, due) = slots.peek(0);
            assert_eq!((place, due), (number as usize % SLOTS, MS * 1000 + SLOT * number));
            slots.advance();
        }
    }

    #[test]
    fn a_stall_is_caught_up_on_while_it_is_short() {
        let mut slots = Slots::new(Duration::ZERO);
        assert_eq!(slots.skip(MS * 100, true), 0);
        assert_eq!(slots.skip(MS * 205, true), 10);
        assert_eq!(slots.peek(0), (0, MS * 200));
    }

    #[test]
    fn an_idle_clock_jumps_to_the_present_and_keeps_its_grid() {
        let mut slots = Slots::new(Duration::ZERO);
        slots.advance();
        assert_eq!(slots.skip(MS * 5041, false), 252);
        assert_eq!(slots.peek(0), (1, MS * 5041));
    }

    #[test]
    fn ntp_time_is_of_this_century() {
        assert!(ntp() >> 32 > NTP_OFFSET_S + 1_600_000_000);
    }
}
