use std::num::NonZeroU32;
use std::time::Duration;

use model::Timestamp;

/// One token, in the thousandths that are counted.
const TOKEN: u64 = 1000;

/// Lets so many things happen within a second, and as many at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    /// Tokens for each second, and the most that are kept.
    rate: NonZeroU32,
    /// What is left, in thousandths of a token.
    left: u64,
    /// Up to when tokens were added.
    counted_to: Timestamp,
}

impl TokenBucket {
    pub(crate) fn full(rate: NonZeroU32, now: Timestamp) -> Self {
        Self { rate, left: most(rate), counted_to: now }
    }

    /// Goes on with another rate; what is left stays, as far as there is room.
    pub(crate) fn set_rate(&mut self, rate: NonZeroU32, now: Timestamp) {
        self.refill(now);
        self.rate = rate;
        self.left = self.left.min(most(rate));
    }

    /// Takes a token where there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        let left = self.left.checked_sub(TOKEN);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// How long until there is a token; zero where there is one.
    pub(crate) fn wait(&mut self, now: Timestamp) -> Duration {
        self.refill(now);
        Duration::from_millis(TOKEN.saturating_sub(self.left).div_ceil(u64::from(self.rate.get())))
    }

    /// Whether nothing was taken from it that has not come back.
    pub(crate) fn is_full(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.left == most(self.rate)
    }

    /// Adds what has come since. A clock that was put back adds nothing, and holds nothing up.
    fn refill(&mut self, now: Timestamp) {
        // A rate for each second is as many thousandths for each millisecond.
        let elapsed_ms = u64::try_from(now.since(self.counted_to).as_millis()).unwrap_or(u64::MAX);
        let added = elapsed_ms.saturating_mul(u64::from(self.rate.get()));
        self.left = self.left.saturating_add(added).min(most(self.rate));
        self.counted_to = now;
    }
}

fn most(rate: NonZeroU32) -> u64 {
    u64::from(rate.get()) * TOKEN
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use model::Timestamp;
    use proptest::prelude::*;

    use super::TokenBucket;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn as_many_as_a_second_holds_go_at_once_and_then_one_after_another() {
        let mut bucket = TokenBucket::full(NonZeroU32::new(4).unwrap(), at(0));
        assert!((0..4).all(|_| bucket.take(at(0))) && !bucket.take(at(0)));
        assert_eq!(bucket.wait(at(0)), Duration::from_millis(250));
        assert!(!bucket.take(at(249)) && bucket.take(at(250)) && !bucket.take(at(250)));
        assert!(!bucket.is_full(at(1249)) && bucket.is_full(at(1250)));
    }

    #[test]
    fn a_clock_that_is_put_back_neither_gives_nor_withholds() {
        let mut bucket = TokenBucket::full(NonZeroU32::MIN, at(1_000_000));
        assert!(bucket.take(at(1_000_000)) && !bucket.take(at(0)));
        assert!(!bucket.take(at(999)) && bucket.take(at(1000)));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_first_burst(rate in 1_u32..50, steps in proptest::collection::vec(0_i64..300, 1..200)) {
            let mut bucket = TokenBucket::full(NonZeroU32::new(rate).unwrap(), at(0));
            let (mut now, mut taken) = (0, 0_i64);
            for step in steps {
                now += step;
                taken += i64::from(bucket.take(at(now)));
                prop_assert!(taken * 1000 <= i64::from(rate) * (1000 + now));
            }
        }
    }
}
