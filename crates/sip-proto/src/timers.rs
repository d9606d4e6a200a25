//! One queue of deadlines for everything that waits.

use core::time::Duration;
use std::collections::BTreeSet;

/// Deadlines in order, at most one for each key.
///
/// The owner of a key remembers its deadline, so that moving it needs no search: a transaction that
/// ends early leaves nothing behind for the half minute that its timer had left.
#[derive(Debug)]
pub(crate) struct TimerQueue<K>(BTreeSet<(Duration, K)>);

impl<K: Ord + Copy> TimerQueue<K> {
    pub(crate) fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Moves the deadline of `key` from `scheduled` to `at` and remembers it there.
    pub(crate) fn reschedule(&mut self, key: K, scheduled: &mut Option<Duration>, at: Option<Duration>) {
        if *scheduled == at {
            return;
        }
        if let Some(old) = *scheduled {
            self.0.remove(&(old, key));
        }
        if let Some(new) = at {
            self.0.insert((new, key));
        }
        *scheduled = at;
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is not after `now`. Its owner has no deadline then.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, key)| key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn deadlines_come_in_order_and_not_before_their_time() {
        let mut queue = TimerQueue::new();
        let mut scheduled = [None; 3];
        for (key, when) in [(0_usize, 3), (1, 1), (2, 2)] {
            queue.reschedule(key, &mut scheduled[key], Some(at(when)));
        }
        assert_eq!((queue.next(), queue.pop(at(0))), (Some(at(1)), None));
        assert_eq!([queue.pop(at(2)), queue.pop(at(2)), queue.pop(at(2))], [Some(1), Some(2), None]);
        assert_eq!(queue.pop(at(3)), Some(0));
        assert!(queue.is_empty());
    }

    #[test]
    fn moving_a_deadline_leaves_no_trace_of_the_old_one() {
        let mut queue = TimerQueue::new();
        let mut scheduled = None;
        queue.reschedule('k', &mut scheduled, Some(at(32)));
        queue.reschedule('k', &mut scheduled, Some(at(1)));
        assert_eq!((scheduled, queue.next()), (Some(at(1)), Some(at(1))));
        queue.reschedule('k', &mut scheduled, None);
        assert!(queue.is_empty());
    }
}
