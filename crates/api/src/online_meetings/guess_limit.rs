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
/// What one application adds to that, so that it takes several to close the door of all: what it may guess freely.
const MAX_OF_APP_IN_TENANT: u32 = MAX_PER_APP;
/// The wait after the last guess that is free; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// The wait where only guesses that are being looked at stand in the way: `Retry-After` has whole seconds.
const PENDING_WAIT: Duration = Duration::from_secs(1);
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

#[derive(Clone, Debug, Default)]
struct Counter {
    failures: u32,
    /// Guesses that are being looked at: as good as wrong until they prove right.
    pending: u32,
    /// Until when nothing is looked at; the last failure where there is no such wait.
    until: Duration,
    /// How much each application has added to its tenant's counter, what is pending included.
    by_app: BTreeMap<AppId, u32>,
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

/// A guess that may be looked at. It counts as wrong, unless it is given back.
#[derive(Debug)]
#[must_use = "a guess that is not given back counts as wrong"]
pub(crate) struct Reservation<'a> {
    limit: &'a GuessLimit,
    app: AppId,
    /// Where it is counted.
    keys: Vec<(Key, u32)>,
    at: Duration,
    is_wrong: bool,
}

impl Reservation<'_> {
    /// It was right, or there was nothing to guess.
    pub(crate) fn give_back(mut self) {
        self.is_wrong = false;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut counters = self.limit.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in &self.keys {
            let Some(counter) = counters.get_mut(key) else { continue };
            counter.pending = counter.pending.saturating_sub(1);
            if self.is_wrong {
                counter.fail(*most, self.at);
            } else if let Some(added) = counter.by_app.get_mut(&self.app) {
                *added = added.saturating_sub(1);
            }
            if counter.failures == 0 && counter.pending == 0 {
                counters.remove(key);
            }
        }
    }
}

impl GuessLimit {
    /// Counts a guess before it is looked at, so that no number of guesses at once gets past the count.
    ///
    /// # Errors
    ///
    /// How long to wait, where there were too many wrong ones.
    pub(crate) fn reserve(&self, guess: &Guess<'_>, now: Duration) -> Result<Reservation<'_>, Duration> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = guess.keys();
        let waits = keys.iter().filter_map(|(key, most)| counters.get(key)?.wait(*most, now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        let mut counted = Vec::with_capacity(keys.len());
        for (key, most) in keys {
            if !counters.contains_key(&key) {
                make_room(&mut counters, now);
            }
            let is_of_tenant = key.1.is_none();
            let counter = counters.entry(key.clone()).or_default();
            if counter.begins_anew(now) {
                *counter = Counter { until: now, ..Counter::default() };
            }
            if is_of_tenant && !counter.take_share(guess.app) {
                continue;
            }
            counter.pending += 1;
            counted.push((key, most));
        }
        Ok(Reservation { limit: self, app: guess.app.clone(), keys: counted, at: now, is_wrong: true })
    }
}

impl Counter {
    /// How long nobody is looked at, where that is so.
    fn wait(&self, most: u32, now: Duration) -> Option<Duration> {
        if self.failures.saturating_add(self.pending) < most {
            return None;
        }
        let wait = self.until.saturating_sub(now);
        if self.failures >= most && !wait.is_zero() {
            return Some(wait);
        }
        (self.pending > 0).then_some(PENDING_WAIT)
    }

    fn fail(&mut self, most: u32, at: Duration) {
        self.failures = self.failures.saturating_add(1);
        let wait = match self.failures.checked_sub(most) {
            None => Duration::ZERO,
            Some(further) => FIRST_WAIT.saturating_mul(1_u32 << further.min(16)).min(MAX_WAIT),
        };
        self.until = self.until.max(at + wait);
    }

    /// Counts one of the application's share in its tenant, where that is not used up.
    fn take_share(&mut self, app: &AppId) -> bool {
        let added = self.by_app.entry(app.clone()).or_default();
        let has_some = *added < MAX_OF_APP_IN_TENANT;
        *added += u32::from(has_some);
        has_some
    }

    fn begins_anew(&self, now: Duration) -> bool {
        self.pending == 0 && now >= self.until + WINDOW
    }
}

/// Drops counters that begin anew, and if none does, the one that would first. What is pending stays: there is no more
/// of it than there are requests at once.
fn make_room(counters: &mut BTreeMap<Key, Counter>, now: Duration) {
    if counters.len() < MAX_COUNTERS {
        return;
    }
    counters.retain(|_, counter| !counter.begins_anew(now));
    if counters.len() < MAX_COUNTERS {
        return;
    }
    let idle = counters.iter().filter(|(_, counter)| counter.pending == 0);
    let first = idle.min_by_key(|(_, counter)| counter.until).map(|(key, _)| key.clone());
    first.and_then(|first| counters.remove(&first));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{AppId, TenantId};

    use super::{
        Counter, Guess, GuessLimit, MAX_COUNTERS, MAX_OF_APP_IN_TENANT, MAX_PER_APP, MAX_PER_MEETING,
        MAX_PER_TENANT, MAX_WAIT, PENDING_WAIT, Reservation,
    };

    const START: Duration = Duration::from_secs(100);

    /// Counts and asks with fresh ids, as each request does.
    struct Limit(GuessLimit);

    impl Limit {
        fn new() -> Self {
            Self(GuessLimit::default())
        }

        fn reserve(&self, app: &str, number: &str, at: Duration) -> Result<Reservation<'_>, Duration> {
            let (tenant, app) = (TenantId::from("tenant"), AppId::from(app));
            self.0.reserve(&Guess { tenant: &tenant, app: &app, number }, at)
        }

        /// How long a right guess waits.
        fn wait(&self, app: &str, number: &str, at: Duration) -> Duration {
            self.reserve(app, number, at).map(Reservation::give_back).err().unwrap_or_default()
        }

        /// A wrong guess, if it is looked at.
        fn fail(&self, app: &str, number: &str, at: Duration) {
            drop(self.reserve(app, number, at));
        }

        fn len(&self) -> usize {
            self.0.counters.lock().unwrap().len()
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
    fn one_application_does_not_close_the_door_of_its_tenant() {
        let limit = Limit::new();
        let mut at = START;
        for burst in 0..10 {
            for number in 0..MAX_PER_APP {
                limit.fail("bot", &number.to_string(), at);
            }
            // Others mistype while it is quiet, so that only its own counter begins anew.
            for person in ["a", "b"] {
                at += Duration::from_secs(50);
                limit.fail(&format!("{person}{burst}"), "1", at);
            }
        }
        assert_eq!(limit.wait("new", "new", at), Duration::ZERO);
        let counters = limit.0.counters.lock().unwrap();
        let of_tenant = &counters[&(TenantId::from("tenant"), None, None)];
        assert_eq!(of_tenant.failures, MAX_OF_APP_IN_TENANT + 20);
    }

    #[test]
    fn guesses_at_once_are_no_more_than_guesses_one_after_another() {
        let limit = Limit::new();
        let at_once: Vec<_> = (0..500).map(|_| limit.reserve("bot", "1", START)).collect();
        assert_eq!(at_once.iter().filter(|guess| guess.is_ok()).count(), MAX_PER_MEETING as usize);
        assert!(at_once.iter().flat_map(|guess| guess.as_ref().err()).all(|wait| *wait == PENDING_WAIT));
        drop(at_once);
        assert_eq!(limit.wait("bot", "1", START), Duration::from_secs(5));

        // Once the wait is over there is one more, and one only.
        let at = START + Duration::from_secs(5);
        let at_once: Vec<_> = (0..500).map(|_| limit.reserve("bot", "1", at)).collect();
        assert_eq!(at_once.iter().filter(|guess| guess.is_ok()).count(), 1);
        drop(at_once);
        assert_eq!(limit.wait("bot", "1", at), Duration::from_secs(10));
    }

    #[test]
    fn what_was_right_leaves_no_trace() {
        let limit = Limit::new();
        for _ in 0..10 * MAX_PER_TENANT {
            assert_eq!(limit.wait("bot", "1", START), Duration::ZERO);
        }
        for _ in 1..MAX_PER_MEETING {
            limit.fail("bot", "1", START);
        }
        assert_eq!(limit.wait("bot", "1", START), Duration::ZERO);
        assert_eq!(limit.wait("bot", "1", START), Duration::ZERO);
        assert_eq!(limit.wait("bot", "2", START), Duration::ZERO);
        assert_eq!(limit.len(), 3, "the meeting, the application, the tenant");
    }

    #[test]
    fn counters_do_not_pile_up() {
        let limit = Limit::new();
        for number in 0..MAX_COUNTERS + 10 {
            limit.fail(&number.to_string(), "1", START + MAX_WAIT * number as u32);
        }
        assert!(limit.len() <= MAX_COUNTERS, "{}", limit.len());
        let apps: Vec<_> = (0..MAX_COUNTERS).map(|number| number.to_string()).collect();
        let limit = Limit::new();
        for app in &apps {
            limit.0.counters.lock().unwrap().insert((app.as_str().into(), None, None), Counter::default());
        }
        limit.fail("bot", &"9".repeat(1000), Duration::ZERO);
        assert_eq!(limit.len(), MAX_COUNTERS);
        limit.fail("bot", &"9".repeat(1000), START);
        limit.fail("other", "1", START);
        assert!(limit.len() <= MAX_COUNTERS);
    }
}
