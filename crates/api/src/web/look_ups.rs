use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use node::{Budget, Rate};
use tokio::time::Instant;

use super::guesses::network;

/// Meetings that pages of one network may ask for at once, and in a second after that: a page asks twice when it is loaded,
/// and a company's people may all come from one address.
const OF_NETWORK: Rate = Rate { burst: 300.0, per_second: 5.0 };

/// Networks that are remembered, some 100 bytes each. One more is only let through where another has paid off what it used.
const MAX_NETWORKS: usize = 30_000;

/// How long to wait where a network has asked too often.
const WAIT: Duration = Duration::from_secs(5);

/// How often it is looked for those that have: whoever comes from many networks must not have all of them looked through each time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Slows down whoever asks for meetings without being signed in, each of which is looked up in the store.
#[derive(Debug, Default)]
pub(crate) struct LookUps(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    budgets: BTreeMap<IpAddr, Budget>,
    swept: Option<Instant>,
}

impl Kept {
    /// Whether there is room for another network.
    fn has_room(&mut self, now: Instant) -> bool {
        let may_sweep = self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP_PAUSE);
        if self.budgets.len() >= MAX_NETWORKS && may_sweep {
            self.swept = Some(now);
            self.budgets.retain(|_, budget| !budget.is_full(now));
        }
        self.budgets.len() < MAX_NETWORKS
    }
}

impl LookUps {
    /// Counts a look-up.
    ///
    /// # Errors
    ///
    /// How long to wait, where there were too many.
    pub(super) fn begin(&self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(source);
        if !kept.budgets.contains_key(&network) && !kept.has_room(now) {
            return Err(WAIT);
        }
        let budget = kept.budgets.entry(network).or_insert_with(|| Budget::new(OF_NETWORK, now));
        if budget.spend(now) { Ok(()) } else { Err(WAIT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_network_is_slowed_down_and_others_are_not() {
        let (look_ups, now) = (LookUps::default(), Instant::now());
        let one = |last: u16, now| look_ups.begin(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]), now);
        assert_eq!((0..400).filter(|last| one(*last, now).is_ok()).count(), 300, "it has many addresses");
        assert!(look_ups.begin(IpAddr::from([192, 0, 2, 1]), now).is_ok());
        assert_eq!((0..400).filter(|last| one(*last, now + Duration::from_secs(2)).is_ok()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_forgotten() {
        let (look_ups, now) = (LookUps::default(), Instant::now());
        let ask = |number: u32, now| look_ups.begin(IpAddr::from(number.to_be_bytes()), now).is_ok();
        assert_eq!((0..40_000).filter(|number| ask(*number, now)).count(), MAX_NETWORKS);
        assert!(ask(40_000, now + Duration::from_secs(1)));
    }
}
