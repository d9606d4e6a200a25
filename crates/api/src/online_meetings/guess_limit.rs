use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{AppId, TenantId};

/// Wrong guesses of one application at one meeting before it has to wait; a person who mistypes needs fewer.
const MAX_PER_MEETING: u32 = 5;
/// Wrong guesses of one application, whatever the meeting.
const MAX_PER_APP: u32 = 30;
/// Wrong guesses in one tenant, whoever guesses: several applications may be one attacker's.
const MAX_PER_TENANT: u32 = 200;
/// The wait after the last guess that is free; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// A counter that is left alone for so long begins anew.
const WINDOW: Duration = Duration::from_secs(60);
/// Counters kept, some 200 bytes each.
const MAX_COUNTERS: usize = 10_000;
/// Longer guesses are cut: the counter's size must not be the caller's choice.
const MAX_GUESS_CHARS: usize = 32;

/// Slows down whoever guesses the numbers and passcodes of meetings.
#[derive(Debug, Default)]
pub(crate) struct GuessLimit {
    counters: Mutex<BTreeMap<Key, Counter>>,
}

/// What is counted: all of a tenant, all of an application there, one meeting.
type Key = (TenantId, Option<AppId>, Option<String>);

#[derive(Clone, Copy, Debug)]
struct Counter {
    failures: u32,
    /// Until when nothing is looked at; the last failure where there is no such wait.
    until: Duration,
}

/// Who guesses what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) app: &'a AppId,
    /// The number of a meeting.
    pub(crate) number: &'a str,
}

impl Guess<'_> {
    fn keys(&self) -> [(Key, u32); 3] {
        let (tenant, app) = (self.tenant.clone(), self.app.clone());
        let number = self.number.chars().take(MAX_GUESS_CHARS).collect();
        [
            ((tenant.clone(), Some(app.clone()), Some(number)), MAX_PER_MEETING),
            ((tenant.clone(), Some(app), None), MAX_PER_APP),
            ((tenant, None, None), MAX_PER_TENANT),
        ]
    }
}

impl GuessLimit {
    /// Whether a guess is looked at.
    ///
    /// # Errors
    ///
    /// How long to wait, where there were too many wrong ones.
    pub(crate) fn admit(&self, guess: &Guess<'_>, elapsed: Duration) -> Result<(), Duration> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = guess.keys().into_iter().filter_map(|(key, most)| {
            let counter = counters.get(&key).filter(|counter| counter.failures >= most)?;
            counter.until.checked_sub(elapsed).filter(|wait| !wait.is_zero())
        });
        waits.max().map_or(Ok(()), Err)
    }

    /// Counts a wrong guess.
    pub(crate) fn record(&self, guess: &Guess<'_>, elapsed: Duration) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in guess.keys() {
            let known = counters.get(&key).filter(|counter| elapsed < counter.until + WINDOW);
            let failures = known.map_or(0, |counter| counter.failures).saturating_add(1);
            let wait = match failures.checked_sub(most) {
                None => Duration::ZERO,
                Some(further) => FIRST_WAIT.saturating_mul(1_u32 << further.min(16)).min(MAX_WAIT),
            };
            if !counters.contains_key(&key) {
                make_room(&mut counters, elapsed);
            }
            counters.insert(key, Counter { failures, until: elapsed + wait });
        }
    }
}

/// Drops counters that begin anew, and if none does, the one that would first.
fn make_room(counters: &mut BTreeMap<Key, Counter>, elapsed: Duration) {
    if counters.len() < MAX_COUNTERS {
        return;
    }
    counters.retain(|_, counter| elapsed < counter.until + WINDOW);
    if counters.len() < MAX_COUNTERS {
        return;
    }
    let first = counters.iter().min_by_key(|(_, counter)| counter.until).map(|(key, _)| key.clone());
    first.and_then(|first| counters.remove(&first));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{AppId, TenantId};

    use super::{Guess, GuessLimit, MAX_COUNTERS, MAX_PER_APP, MAX_PER_MEETING, MAX_PER_TENANT, MAX_WAIT};

    const START: Duration = Duration::from_secs(100);

    /// Counts and asks with fresh ids, as each request does.
    struct Limit(GuessLimit);

    impl Limit {
        fn new() -> Self {
            Self(GuessLimit::default())
        }

        fn wait(&self, app: &str, number: &str, at: Duration) -> Duration {
            let (tenant, app) = (TenantId::from("tenant"), AppId::from(app));
            let guess = Guess { tenant: &tenant, app: &app, number };
            self.0.admit(&guess, at).err().unwrap_or_default()
        }

        fn fail(&self, app: &str, number: &str, at: Duration) {
            let (tenant, app) = (TenantId::from("tenant"), AppId::from(app));
            self.0.record(&Guess { tenant: &tenant, app: &app, number }, at);
        }
    }

    #[test]
    fn the_wait_grows_with_every_further_wrong_guess() {
        let limit = Limit::new();
        for _ in 0..MAX_PER_MEETING {
            assert_eq!(limit.wait("bot", "1", START), Duration::ZERO);
            limit.fail("bot", "1", START);
        }
        let mut at = START;
        for seconds in [5, 10, 20, 40, 80, 160, 320, 640, 900, 900] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(limit.wait("bot", "1", at), wait);
            at += wait;
            assert_eq!(limit.wait("bot", "1", at), Duration::ZERO);
            limit.fail("bot", "1", at);
        }
        assert_eq!(limit.wait("bot", "1", at), MAX_WAIT);
        let quiet = at + MAX_WAIT + Duration::from_secs(60);
        limit.fail("bot", "1", quiet);
        assert_eq!(limit.wait("bot", "1", quiet), Duration::ZERO, "who was quiet begins anew");
    }

    #[test]
    fn other_meetings_and_applications_are_not_held_up() {
        let limit = Limit::new();
        for _ in 0..MAX_PER_MEETING {
            limit.fail("bot", "1", START);
        }
        assert!(limit.wait("bot", "1", START) > Duration::ZERO);
        assert_eq!(limit.wait("bot", "2", START), Duration::ZERO);
        assert_eq!(limit.wait("other", "1", START), Duration::ZERO);
    }

    #[test]
    fn an_application_that_tries_many_meetings_waits() {
        let limit = Limit::new();
        for number in 0..MAX_PER_APP {
            limit.fail("bot", &number.to_string(), START);
        }
        assert!(limit.wait("bot", "new", START) > Duration::ZERO);
        assert_eq!(limit.wait("other", "new", START), Duration::ZERO);
    }

    #[test]
    fn a_tenant_whose_applications_take_turns_waits() {
        let limit = Limit::new();
        for number in 0..MAX_PER_TENANT {
            limit.fail(&number.to_string(), &number.to_string(), START);
        }
        assert!(limit.wait("new", "new", START) > Duration::ZERO);
    }

    #[test]
    fn counters_do_not_pile_up() {
        let limit = Limit::new();
        for number in 0..MAX_COUNTERS + 10 {
            limit.fail("bot", &number.to_string(), START);
        }
        assert_eq!(limit.0.counters.lock().unwrap().len(), MAX_COUNTERS);
        limit.fail("bot", &"9".repeat(1000), START + Duration::from_secs(3600));
        assert!(limit.0.counters.lock().unwrap().len() <= 3);
    }
}
