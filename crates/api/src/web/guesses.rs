use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wrong passwords of one source for one name before it has to wait; a person who mistypes needs fewer.
const MAX_FOR_NAME: u32 = 5;
/// Wrong passwords of one source, whatever the names: several people may be behind one address.
const MAX_OF_SOURCE: u32 = 30;
/// Wrong passwords for one name from everywhere. Higher, so that it takes many sources to lock somebody out.
const MAX_FROM_ALL: u32 = 100;
/// The wait after the last guess that is free; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// A counter that is left alone for so long begins anew.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Counters kept, some 200 bytes each.
const MAX_COUNTERS: usize = 30_000;
/// Longer names are cut: the counter's size must not be the guesser's choice.
const MAX_NAME_CHARS: usize = 64;

/// Slows down whoever guesses passwords.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<BTreeMap<Key, Counter>>);

/// What is counted: all from a source, all for a name, both.
type Key = (Option<IpAddr>, Option<String>);

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    wrong: u32,
    /// Until when nothing is looked at; the last guess where there is no such wait.
    until: Duration,
}

/// Who guesses, and for whom.
#[derive(Debug)]
pub(crate) struct Guess([(Key, u32); 3]);

impl Guess {
    pub(crate) fn new(source: IpAddr, name: &str) -> Self {
        let source = network(source);
        let name: String = name.trim().to_lowercase().chars().take(MAX_NAME_CHARS).collect();
        Self([
            ((Some(source), Some(name.clone())), MAX_FOR_NAME),
            ((Some(source), None), MAX_OF_SOURCE),
            ((None, Some(name)), MAX_FROM_ALL),
        ])
    }
}

impl Guesses {
    /// Counts a guess as wrong before it is looked at, so that no number of guesses at once gets past the count.
    ///
    /// # Errors
    ///
    /// How long to wait, where there were too many.
    pub(crate) fn begin(&self, guess: &Guess, now: Duration) -> Result<(), Duration> {
        let mut counters = self.lock();
        let waits = guess.0.iter().filter_map(|(key, _)| Some(counters.get(key)?.until.saturating_sub(now)));
        if let Some(wait) = waits.max().filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        for (key, most) in &guess.0 {
            if !counters.contains_key(key) {
                make_room(&mut counters, now);
            }
            let counter = counters.entry(key.clone()).or_default();
            if now >= counter.until + WINDOW {
                *counter = Counter::default();
            }
            counter.wrong = counter.wrong.saturating_add(1);
            let wait = match counter.wrong.checked_sub(*most) {
                None => Duration::ZERO,
                Some(further) => FIRST_WAIT.saturating_mul(1 << further.min(16)).min(MAX_WAIT),
            };
            counter.until = now + wait;
        }
        Ok(())
    }

    /// It was right: it leaves no trace, and what the same source has mistyped for that name is forgotten.
    pub(crate) fn right(&self, guess: &Guess, now: Duration) {
        let mut counters = self.lock();
        for (key, _) in &guess.0 {
            let is_of_both = key.0.is_some() && key.1.is_some();
            let Some(counter) = counters.get_mut(key) else { continue };
            counter.wrong = counter.wrong.saturating_sub(1);
            counter.until = counter.until.min(now);
            if counter.wrong == 0 || is_of_both {
                counters.remove(key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Counter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has an address of version 6 has 2^64 of them.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Drops counters that begin anew, and if none does, the quarter that would first: so this is done once in many guesses.
fn make_room(counters: &mut BTreeMap<Key, Counter>, now: Duration) {
    if counters.len() < MAX_COUNTERS {
        return;
    }
    counters.retain(|_, counter| now < counter.until + WINDOW);
    if counters.len() >= MAX_COUNTERS {
        let mut times: Vec<_> = counters.values().map(|counter| counter.until).collect();
        times.sort_unstable();
        let cut = times.get(MAX_COUNTERS / 4).copied().unwrap_or_default();
        counters.retain(|_, counter| counter.until > cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn wrong(guesses: &Guesses, from: u8, name: &str, at: Duration) -> Result<(), Duration> {
        guesses.begin(&Guess::new(source(from), name), at)
    }

    #[test]
    fn the_wait_grows_with_every_further_wrong_password() {
        let guesses = Guesses::default();
        for _ in 0..MAX_FOR_NAME {
            assert_eq!(wrong(&guesses, 1, "john", START), Ok(()));
        }
        let mut at = START;
        for seconds in [5, 10, 20, 40, 80, 160, 320, 640, 900, 900] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(wrong(&guesses, 1, " JOHN", at), Err(wait));
            at += wait;
            assert_eq!(wrong(&guesses, 1, "john", at), Ok(()));
        }
        assert_eq!(wrong(&guesses, 1, "john", at + MAX_WAIT + WINDOW), Ok(()));
        assert_eq!(wrong(&guesses, 1, "john", at + MAX_WAIT + WINDOW), Ok(()), "who was quiet begins anew");
    }

    #[test]
    fn who_guesses_does_not_lock_the_user_out_elsewhere() {
        let guesses = Guesses::default();
        while wrong(&guesses, 1, "john", START).is_ok() {}
        assert_eq!(wrong(&guesses, 2, "john", START), Ok(()));
        assert_eq!(wrong(&guesses, 1, "jane", START), Ok(()));
    }

    #[test]
    fn many_names_of_one_source_and_many_sources_for_one_name_wait() {
        let guesses = Guesses::default();
        for number in 0..MAX_OF_SOURCE {
            assert_eq!(wrong(&guesses, 1, &number.to_string(), START), Ok(()));
        }
        assert!(wrong(&guesses, 1, "new", START).is_err());
        for from in 2..=MAX_FROM_ALL as u8 + 1 {
            assert_eq!(wrong(&guesses, from, "john", START), Ok(()), "{from}");
        }
        assert!(wrong(&guesses, 200, "john", START).is_err());
    }

    #[test]
    fn what_is_right_leaves_no_trace() {
        let guesses = Guesses::default();
        let guess = Guess::new(source(1), "john");
        for _ in 0..10 * MAX_FROM_ALL {
            assert_eq!(guesses.begin(&guess, START), Ok(()));
            guesses.right(&guess, START);
        }
        assert!(guesses.lock().is_empty());
    }

    #[test]
    fn addresses_of_one_network_of_version_6_are_one_source() {
        let guesses = Guesses::default();
        let guess = |host: u16| Guess::new(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]), "john");
        for host in 0..MAX_FOR_NAME as u16 {
            assert_eq!(guesses.begin(&guess(host), START), Ok(()));
        }
        assert!(guesses.begin(&guess(99), START).is_err());
    }

    #[test]
    fn counters_do_not_pile_up() {
        let guesses = Guesses::default();
        for number in 0..MAX_COUNTERS as u32 {
            let guess = Guess::new(IpAddr::from(number.to_be_bytes()), &number.to_string().repeat(100));
            assert_eq!(guesses.begin(&guess, START + Duration::from_millis(number.into())), Ok(()));
        }
        let kept = guesses.lock().len();
        assert!((MAX_COUNTERS / 2..=MAX_COUNTERS).contains(&kept), "{kept}");
    }
}
