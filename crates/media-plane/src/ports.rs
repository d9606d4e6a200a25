//! Which port pairs are free, in use, or at rest.

use std::collections::VecDeque;
use std::time::Duration;

/// The even port of a pair; RTCP has the one above.
pub(crate) type RtpPort = u16;

/// The pairs of a range. A returned pair goes to the end of the line and rests before it is given out again.
#[derive(Debug)]
pub(crate) struct PortPool {
    free: VecDeque<(RtpPort, Duration)>,
}

impl PortPool {
    pub(crate) fn new(first: u16, last: u16) -> Self {
        let first = first.saturating_add(first % 2).max(2);
        let pairs = (first..last).step_by(2).map(|port| (port, Duration::ZERO));
        Self { free: pairs.collect() }
    }

    /// Takes the pair that has rested longest, if it has rested until `now`.
    pub(crate) fn take(&mut self, now: Duration) -> Option<RtpPort> {
        let (port, from) = self.free.pop_front()?;
        if from > now {
            self.free.push_front((port, from));
            return None;
        }
        Some(port)
    }

    /// Gives a pair back; nobody gets it before `from`.
    pub(crate) fn give_back(&mut self, port: RtpPort, from: Duration) {
        self.free.push_back((port, from));
    }

    pub(crate) fn len(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pairs_are_even_and_inside_the_range() {
        let mut pool = PortPool::new(20_001, 20_006);
        assert_eq!([pool.take(s(1)), pool.take(s(1)), pool.take(s(1))], [Some(20_002), Some(20_004), None]);
    }

    #[test]
    fn a_returned_pair_rests() {
        let mut pool = PortPool::new(20_000, 20_001);
        let port = pool.take(s(1)).unwrap();
        pool.give_back(port, s(6));
        assert_eq!(pool.take(s(5)), None);
        assert_eq!(pool.take(s(6)), Some(20_000));
    }
}
