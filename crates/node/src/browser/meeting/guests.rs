//! What those may do who are not signed in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Budget, Rate, Shared};

/// How often guests of one network may come in at once, and in a second after that.
const JOINS: Rate = Rate { burst: 60.0, per_second: 0.5 };

/// Networks that are remembered though nobody is there any more, some 100 bytes each.
const MAX_NETWORKS: usize = 10_000;

/// How often it is looked for those that need not be: whoever comes from many must not have all looked through each time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Pages of guests, by where they come from.
pub(in crate::browser) struct Guests(Mutex<Counts>);

struct Counts {
    /// How many there may be in all, and from one network.
    most: (usize, usize),
    pages: usize,
    networks: BTreeMap<IpAddr, Network>,
    swept: Option<Instant>,
}

struct Network {
    pages: usize,
    joins: Budget,
}

impl Counts {
    const fn new(in_all: usize, of_network: usize) -> Self {
        Self { most: (in_all, of_network), pages: 0, networks: BTreeMap::new(), swept: None }
    }

    fn enter(&mut self, network: IpAddr, now: Instant) -> bool {
        let is_known = self.networks.contains_key(&network);
        if self.pages >= self.most.0 || !(is_known || self.has_room(now)) {
            return false;
        }
        let own = self
            .networks
            .entry(network)
            .or_insert_with(|| Network { pages: 0, joins: Budget::new(JOINS, now) });
        if own.pages >= self.most.1 {
            return false;
        }
        own.pages += 1;
        self.pages += 1;
        true
    }

    /// Whether another network can be remembered.
    fn has_room(&mut self, now: Instant) -> bool {
        let may_sweep = self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP_PAUSE);
        if self.networks.len() >= MAX_NETWORKS && may_sweep {
            self.swept = Some(now);
            self.networks.retain(|_, kept| kept.pages > 0 || !kept.joins.is_full(now));
        }
        self.networks.len() < MAX_NETWORKS
    }

    fn join(&mut self, network: IpAddr, now: Instant) -> bool {
        self.networks.get_mut(&network).is_some_and(|own| own.joins.spend(now))
    }

    fn leave(&mut self, network: IpAddr) {
        self.pages = self.pages.saturating_sub(1);
        if let Some(own) = self.networks.get_mut(&network) {
            own.pages = own.pages.saturating_sub(1);
        }
    }
}

impl Guests {
    /// Nobody yet.
    pub(in crate::browser) const fn new(in_all: usize, of_network: usize) -> Self {
        Self(Mutex::new(Counts::new(in_all, of_network)))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest's page, for as long as it is counted.
pub(super) struct GuestPlace {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl GuestPlace {
    /// Nothing where there are as many as may be.
    pub(super) fn take(shared: &Arc<Shared>, network: IpAddr) -> Option<Self> {
        let has_room = shared.guests.counts().enter(network, Instant::now());
        has_room.then(|| Self { shared: Arc::clone(shared), network })
    }

    /// Whether it may come in now, which counts.
    pub(super) fn may_join(&self, now: Instant) -> bool {
        self.shared.guests.counts().join(self.network, now)
    }
}

impl Drop for GuestPlace {
    fn drop(&mut self) {
        self.shared.guests.counts().leave(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_GUESTS: usize = 2_000;
    const MAX_OF_NETWORK: usize = 100;

    fn network(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn guests_of_one_network_are_bounded_and_others_come_in() {
        let (mut counts, now) = (Counts::new(MAX_GUESTS, MAX_OF_NETWORK), Instant::now());
        assert_eq!((0..200).filter(|_| counts.enter(network(1), now)).count(), MAX_OF_NETWORK);
        assert!(counts.enter(network(2), now));
        counts.leave(network(1));
        assert!(counts.enter(network(1), now) && !counts.enter(network(1), now));
    }

    #[tokio::test(start_paused = true)]
    async fn guests_are_bounded_in_all() {
        let (mut counts, now) = (Counts::new(MAX_GUESTS, MAX_OF_NETWORK), Instant::now());
        let taken = (0..3_000).filter(|number| counts.enter(network(*number), now)).count();
        assert_eq!(taken, MAX_GUESTS);
    }

    #[tokio::test(start_paused = true)]
    async fn coming_in_again_and_again_is_slowed_down_also_by_new_pages() {
        let (mut counts, now) = (Counts::new(MAX_GUESTS, MAX_OF_NETWORK), Instant::now());
        let mut come = |now| {
            let is_in = counts.enter(network(1), now) && counts.join(network(1), now);
            counts.leave(network(1));
            is_in
        };
        assert_eq!((0..100).filter(|_| come(now)).count(), 60);
        let later = now + Duration::from_secs(10);
        assert_eq!((0..100).filter(|_| come(later)).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn networks_that_nobody_comes_from_any_more_are_forgotten() {
        let (mut counts, now) = (Counts::new(MAX_GUESTS, MAX_OF_NETWORK), Instant::now());
        let mut come = |from: u32, now| {
            (from..from + MAX_NETWORKS as u32)
                .filter(|number| {
                    let is_in = counts.enter(network(*number), now);
                    counts.leave(network(*number));
                    is_in
                })
                .count()
        };
        assert_eq!(come(0, now), MAX_NETWORKS);
        assert_eq!(come(50_000, now), MAX_NETWORKS, "the first have used nothing up");
        assert_eq!(come(100_000, now), 0, "it is not looked again at once");
        assert_eq!(come(100_000, now + SWEEP_PAUSE), MAX_NETWORKS);
    }
}
