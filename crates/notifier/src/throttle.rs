use std::time::{Duration, Instant};

/// Lines a second. Arbitrary: enough to see what goes wrong, too few to fill a disk.
const PER_SECOND: u32 = 20;

/// Lets some lines through and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    since: Option<Instant>,
    count: u32,
    suppressed: u64,
}

impl Throttle {
    /// How many lines were held back before this one, or `None` where this one is held back too.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        let is_over =
            self.since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1));
        if is_over {
            self.since = Some(now);
            self.count = 0;
        }
        if self.count >= PER_SECOND {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.count += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_lines_is_counted_and_the_next_second_starts_anew() {
        let start = tokio::time::Instant::now().into_std();
        let mut throttle = Throttle::default();
        let passed = (0..100).filter_map(|_| throttle.pass(start)).collect::<Vec<_>>();
        assert_eq!(passed, [0; 20]);
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), Some(80));
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), Some(0));
    }
}
