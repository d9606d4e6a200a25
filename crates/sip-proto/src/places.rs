//! What searches have found, for as long as it lasts, and which of it does not work (RFC 3263, 4.3).

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::flow::Transport;
use crate::locating::{Candidate, Candidates};

/// The shortest time that something is kept, so that records without a lifetime do not make every call a search.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest time, whatever records say, so that a change is noticed within the hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// The places that names led to.
///
/// Of a bounded number of names: past it, the one whose time is over first is forgotten.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    found: BTreeMap<String, Found>,
    /// Where something failed, until it is worth another try.
    failed: BTreeMap<(Transport, SocketAddr), Duration>,
}

#[derive(Debug)]
struct Found {
    list: Vec<Candidate>,
    until: Duration,
}

impl Places {
    /// None yet, of at most so many names.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, found: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Keeps what a search for a name has found.
    pub fn keep(&mut self, name: &str, candidates: Candidates, now: Duration) {
        self.found.retain(|_, found| found.until > now);
        let until = now.saturating_add(candidates.lifetime.clamp(SHORTEST, LONGEST));
        self.found.insert(name.to_owned(), Found { list: candidates.list, until });
        if self.found.len() > self.limit {
            let first = self.found.iter().min_by_key(|(_, found)| found.until);
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                self.found.remove(&name);
            }
        }
    }

    /// The places to try for a name, the first to try first; `None` where a search is due.
    ///
    /// What has failed a while ago comes after all others: it is better than nothing.
    #[must_use]
    pub fn get(&self, name: &str, now: Duration) -> Option<Vec<Candidate>> {
        let found = self.found.get(name).filter(|found| found.until > now)?;
        let (failed, well): (Vec<_>, Vec<_>) =
            found.list.iter().cloned().partition(|candidate| self.has_failed(candidate, now));
        Some(well.into_iter().chain(failed).collect())
    }

    /// Takes the news that a place did not answer, or answered 503, and is not worth another try for a while.
    pub fn fail(&mut self, candidate: &Candidate, pause: Duration, now: Duration) {
        self.failed.retain(|_, until| *until > now);
        if self.failed.len() < self.limit {
            self.failed.insert((candidate.transport, candidate.remote), now.saturating_add(pause));
        }
    }

    /// Takes the news that a place works.
    pub fn recover(&mut self, candidate: &Candidate) {
        self.failed.remove(&(candidate.transport, candidate.remote));
    }

    fn has_failed(&self, candidate: &Candidate, now: Duration) -> bool {
        self.failed.get(&(candidate.transport, candidate.remote)).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn place(last: u8) -> Candidate {
        let remote = ([192, 0, 2, last], 5060).into();
        Candidate { transport: Transport::Udp, remote, name: "carrier.example".to_owned() }
    }

    fn found(last: &[u8], lifetime: u64) -> Candidates {
        Candidates { list: last.iter().map(|last| place(*last)).collect(), lifetime: seconds(lifetime) }
    }

    #[test]
    fn what_was_found_is_kept_for_its_lifetime_within_bounds() {
        for (lifetime, kept) in [(0, seconds(1)), (60, seconds(60)), (100_000, HOUR)] {
            let mut places = Places::new(8);
            places.keep("a", found(&[1, 2], lifetime), seconds(10));
            let last = seconds(10) + kept - Duration::from_nanos(1);
            assert_eq!(places.get("a", last), Some(vec![place(1), place(2)]), "{lifetime}");
            assert_eq!(places.get("a", seconds(10) + kept), None, "{lifetime}");
        }
        assert_eq!(Places::new(8).get("a", seconds(0)), None);
    }

    #[test]
    fn nothing_that_was_found_is_also_kept() {
        let mut places = Places::new(8);
        places.keep("a", found(&[], 30), seconds(0));
        assert_eq!(places.get("a", seconds(29)), Some(Vec::new()));
    }

    #[test]
    fn what_has_failed_comes_last_until_its_time_is_over_or_it_works_again() {
        let mut places = Places::new(8);
        places.keep("a", found(&[1, 2, 3], 3600), seconds(0));
        places.fail(&place(1), seconds(60), seconds(10));
        places.fail(&place(2), seconds(10), seconds(10));
        assert_eq!(places.get("a", seconds(11)), Some(vec![place(3), place(1), place(2)]));
        assert_eq!(places.get("a", seconds(20)), Some(vec![place(2), place(3), place(1)]));
        places.recover(&place(1));
        assert_eq!(places.get("a", seconds(20)), Some(vec![place(1), place(2), place(3)]));
    }

    #[test]
    fn names_and_failures_are_bounded() {
        let mut places = Places::new(2);
        for (name, lifetime) in [("a", 300), ("b", 20), ("c", 100)] {
            places.keep(name, found(&[1], lifetime), seconds(0));
        }
        assert_eq!(["a", "b", "c"].map(|name| places.get(name, seconds(1)).is_some()), [true, false, true]);
        for last in 1..=9 {
            places.fail(&place(last), seconds(60), seconds(0));
        }
        assert_eq!(places.failed.len(), 2);
        places.fail(&place(9), seconds(60), seconds(61));
        assert_eq!(places.failed.len(), 1);
    }
}
