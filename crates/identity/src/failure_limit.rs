use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;

use crate::cache::Cache;

/// How long failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Wrong proofs of one application from one address before the door closes; a person who mistypes needs fewer.
const MAX_PER_CLIENT: u32 = 10;
/// Wrong proofs from one address, whatever the application; several bots may share one.
const MAX_PER_ADDRESS: u32 = 60;
/// Counters kept, some 100 bytes each; more addresses than this push out the least active.
const MAX_COUNTERS: usize = 8192;
/// Longer names are cut: the counter's size must not be the caller's choice.
const MAX_CLIENT_CHARS: usize = 64;

/// Counts failed proofs per application and address, and per address.
///
/// Never per application alone: a stranger must not be able to shut an application out.
#[derive(Debug)]
pub(crate) struct FailureLimit {
    counters: Mutex<Cache<Key, Counter>>,
}

type Key = (Option<String>, IpAddr);

#[derive(Clone, Copy, Debug)]
struct Counter {
    since: Timestamp,
    failures: u32,
}

impl FailureLimit {
    pub(crate) fn new() -> Self {
        Self { counters: Mutex::new(Cache::new(MAX_COUNTERS)) }
    }

    /// How long to wait before another proof is looked at; `None` where it may be tried at once.
    pub(crate) fn wait(&self, client: &str, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        keys(client, address)
            .into_iter()
            .filter_map(|(key, max)| {
                let counter = counters.find(&key).filter(|counter| counter.failures >= max)?;
                WINDOW.checked_sub(now.since(counter.since)).filter(|wait| !wait.is_zero())
            })
            .max()
    }

    pub(crate) fn record(&self, client: &str, address: IpAddr, now: Timestamp) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys(client, address) {
            let current = counters.find(&key).filter(|counter| now.since(counter.since) < WINDOW);
            let Counter { since, failures } = current.unwrap_or(Counter { since: now, failures: 0 });
            counters.put(key, Counter { since, failures: failures.saturating_add(1) });
        }
    }
}

fn keys(client: &str, address: IpAddr) -> [(Key, u32); 2] {
    let address = network(address);
    let client = client.chars().take(MAX_CLIENT_CHARS).collect();
    [((Some(client), address), MAX_PER_CLIENT), ((None, address), MAX_PER_ADDRESS)]
}

/// One household or host has a /64 of IPv6, and counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use model::Timestamp;

    use super::{FailureLimit, MAX_PER_ADDRESS, MAX_PER_CLIENT, WINDOW};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn an_application_that_fails_too_often_waits_and_others_do_not() {
        let limit = FailureLimit::new();
        for _ in 0..MAX_PER_CLIENT {
            assert_eq!(limit.wait("bot", HERE, NOW), None);
            limit.record("bot", HERE, NOW);
        }
        assert_eq!(
            limit.wait("bot", HERE, NOW.after(Duration::from_secs(20))),
            Some(Duration::from_secs(40))
        );
        assert_eq!(limit.wait("bot", ELSEWHERE, NOW), None);
        assert_eq!(limit.wait("other", HERE, NOW), None);
        assert_eq!(limit.wait("bot", HERE, NOW.after(WINDOW)), None);
    }

    #[test]
    fn an_address_that_tries_many_applications_waits() {
        let limit = FailureLimit::new();
        for number in 0..MAX_PER_ADDRESS {
            limit.record(&number.to_string(), HERE, NOW);
        }
        assert_eq!(limit.wait("new", HERE, NOW), Some(WINDOW));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limit = FailureLimit::new();
        for host in 0..u16::try_from(MAX_PER_CLIENT).unwrap() {
            limit.record("bot", IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host)), NOW);
        }
        let same = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 9));
        let other = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 0));
        assert!(limit.wait("bot", same, NOW).is_some());
        assert_eq!(limit.wait("bot", other, NOW), None);
    }
}
