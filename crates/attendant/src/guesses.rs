use std::collections::BTreeMap;
use std::time::Duration;

use model::{TenantId, Timestamp};

/// Wrong entries in a row of one caller: those of two calls.
const PER_CALLER: Allowance = Allowance { most: 6, each: Duration::from_secs(5 * 60) };
/// Of all callers together who withhold their number: any of them may be anybody.
const PER_WITHHELD: Allowance = Allowance { most: 12, each: Duration::from_secs(2 * 60) };
/// At one meeting, whoever tries: a caller's number is easily forged. Of the passcodes that are made here, which telephones
/// have 8^8 of, some 100,000 in a year.
const PER_MEETING: Allowance = Allowance { most: 20, each: Duration::from_secs(5 * 60) };
/// In one tenant, ids of no meeting, whoever tries them: ids are ten digits, and few of those are meetings.
const PER_TENANT: Allowance = Allowance { most: 200, each: Duration::from_secs(5) };
/// Counters kept, some 150 bytes each.
const MAX_COUNTERS: usize = 10_000;
/// Longer texts are cut: the size of a counter must not be the caller's choice.
const MAX_CHARS: usize = 32;

/// Slows down callers who guess the ids and passcodes of meetings, over all of their calls.
///
/// Each entry takes a token of its caller's and one of the meeting's, and gives them back where it was right; one that names
/// no meeting takes one of the tenant's besides. Tokens come back with time, so that nobody is shut out for good; whoever knows
/// what to enter takes none.
///
/// A tenant without tokens is being searched, by callers with forged numbers: then nobody learns whether an id is one, and
/// only the right passcode lets in ([`Verdict::Silent`]).
#[derive(Debug, Default)]
pub struct Guesses {
    /// When each counter has all of its tokens again.
    counters: BTreeMap<Key, Timestamp>,
}

/// What somebody enters.
#[derive(Clone, Copy, Debug)]
pub struct Guess<'a> {
    /// Whose meetings.
    pub tenant: &'a TenantId,
    /// Who calls; `None` where that is withheld.
    pub caller: Option<&'a str>,
    /// The id that was entered.
    pub meeting: &'a str,
}

/// Whether an entry may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, and what is wrong with it may be said.
    Open,
    /// No: there were too many wrong ones.
    Refused,
    /// Yes, but nothing is said of it unless it is right, with a passcode.
    Silent,
}

/// So many at once, and one more after each such time.
#[derive(Clone, Copy)]
struct Allowance {
    most: u32,
    each: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Caller(TenantId, Option<String>),
    Meeting(TenantId, String),
    Tenant(TenantId),
}

impl Guess<'_> {
    fn keys(&self) -> [(Key, Allowance); 2] {
        let cut = |text: &str| text.chars().take(MAX_CHARS).collect::<String>();
        let of_caller = if self.caller.is_some() { PER_CALLER } else { PER_WITHHELD };
        [
            (Key::Caller(self.tenant.clone(), self.caller.map(cut)), of_caller),
            (Key::Meeting(self.tenant.clone(), cut(self.meeting)), PER_MEETING),
        ]
    }
}

impl Guesses {
    /// Whether an entry may be looked at. It counts as wrong from then on, so that calls at once are no more than calls one
    /// after another; see [`Self::give_back`].
    pub fn take(&mut self, guess: &Guess<'_>, now: Timestamp) -> Verdict {
        let keys = guess.keys();
        if !keys.iter().all(|(key, allowance)| self.has_token(key, *allowance, now)) {
            return Verdict::Refused;
        }
        for (key, allowance) in keys {
            self.take_token(key, allowance, now);
        }
        let is_open = self.has_token(&Key::Tenant(guess.tenant.clone()), PER_TENANT, now);
        if is_open { Verdict::Open } else { Verdict::Silent }
    }

    /// It named no meeting.
    pub fn missed(&mut self, guess: &Guess<'_>, now: Timestamp) {
        let key = Key::Tenant(guess.tenant.clone());
        if self.has_token(&key, PER_TENANT, now) {
            self.take_token(key, PER_TENANT, now);
        }
    }

    fn has_token(&self, key: &Key, allowance: Allowance, now: Timestamp) -> bool {
        let full_at = self.counters.get(key).copied().unwrap_or(now);
        full_at.since(now) + allowance.each <= allowance.each * allowance.most
    }

    fn take_token(&mut self, key: Key, allowance: Allowance, now: Timestamp) {
        self.make_room(&key, now);
        let full_at = self.counters.entry(key).or_insert(now);
        *full_at = (*full_at).max(now).after(allowance.each);
    }

    /// It was right, or there was nothing to guess.
    pub fn give_back(&mut self, guess: &Guess<'_>, now: Timestamp) {
        for (key, allowance) in guess.keys() {
            let Some(full_at) = self.counters.get_mut(&key) else { continue };
            *full_at = now.after(full_at.since(now).saturating_sub(allowance.each));
            if *full_at <= now {
                self.counters.remove(&key);
            }
        }
    }

    /// Makes room for a new counter: those go that have all of their tokens, or else the one that will have them first.
    fn make_room(&mut self, key: &Key, now: Timestamp) {
        if self.counters.len() < MAX_COUNTERS || self.counters.contains_key(key) {
            return;
        }
        self.counters.retain(|_, full_at| *full_at > now);
        if self.counters.len() >= MAX_COUNTERS {
            let first = self.counters.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| key.clone());
            first.and_then(|first| self.counters.remove(&first));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{TenantId, Timestamp};

    use super::{Guess, Guesses, MAX_COUNTERS, PER_CALLER, PER_MEETING, PER_TENANT, PER_WITHHELD, Verdict};

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    struct Limit(Guesses, TenantId, Timestamp);

    impl Limit {
        fn new() -> Self {
            Self(Guesses::default(), TenantId::from("tenant"), START)
        }

        /// A wrong entry; says whether it was looked at.
        fn fail(&mut self, caller: Option<&str>, meeting: &str) -> bool {
            let guess = Guess { tenant: &self.1, caller, meeting };
            let is_looked_at = self.0.take(&guess, self.2) != Verdict::Refused;
            if is_looked_at {
                self.0.missed(&guess, self.2);
            }
            is_looked_at
        }

        fn succeed(&mut self, caller: Option<&str>, meeting: &str) -> bool {
            let guess = Guess { tenant: &self.1, caller, meeting };
            let is_taken = self.0.take(&guess, self.2) != Verdict::Refused;
            if is_taken {
                self.0.give_back(&guess, self.2);
            }
            is_taken
        }

        /// How many wrong entries are looked at until none is.
        fn fails(&mut self, caller: Option<&str>, meeting: &str) -> u32 {
            let mut count = 0;
            while self.fail(caller, meeting) {
                count += 1;
            }
            count
        }

        fn wait(&mut self, time: Duration) {
            self.2 = self.2.after(time);
        }
    }

    #[test]
    fn a_caller_tries_a_few_times_and_then_once_in_a_while() {
        let mut limit = Limit::new();
        assert_eq!(limit.fails(Some("a"), "1"), PER_CALLER.most);
        assert!(!limit.succeed(Some("a"), "1"), "nor does it learn that one is right");
        assert!(!limit.fail(Some("a"), "2"), "another meeting, the same caller");
        assert!(limit.succeed(Some("b"), "1"), "others are not hindered");
        limit.wait(PER_CALLER.each);
        assert_eq!(limit.fails(Some("a"), "1"), 1);
        limit.wait(PER_CALLER.each * 100);
        assert_eq!(limit.fails(Some("a"), "1"), PER_CALLER.most);
    }

    #[test]
    fn callers_who_take_turns_at_one_meeting_are_counted_together() {
        let mut limit = Limit::new();
        let looked_at = (0..100).filter(|caller| limit.fail(Some(&caller.to_string()), "1")).count();
        assert_eq!(looked_at, PER_MEETING.most as usize);
        assert!(limit.succeed(Some("new"), "2"));
        limit.wait(Duration::from_secs(24 * 3600));
        assert!(limit.succeed(Some("new"), "1"));
    }

    #[test]
    fn callers_who_withhold_their_number_are_counted_as_one() {
        let mut limit = Limit::new();
        assert_eq!((0..100).filter(|n| limit.fail(None, &n.to_string())).count(), PER_WITHHELD.most as usize);
        assert!(limit.succeed(Some("a"), "1"));
    }

    #[test]
    fn a_tenant_that_is_searched_says_nothing_any_more_and_lets_those_in_who_know_all() {
        let mut limit = Limit::new();
        let verdict = |limit: &mut Limit, meeting: &str| {
            limit.0.take(&Guess { tenant: &limit.1, caller: Some(meeting), meeting }, limit.2)
        };
        assert!((0..PER_TENANT.most).all(|n| limit.fail(Some(&n.to_string()), &n.to_string())));
        assert_eq!(verdict(&mut limit, "new"), Verdict::Silent);
        limit.1 = TenantId::from("other");
        assert_eq!(verdict(&mut limit, "new"), Verdict::Open);
        limit.1 = TenantId::from("tenant");
        limit.wait(PER_TENANT.each);
        assert_eq!(verdict(&mut limit, "newer"), Verdict::Open);
    }

    #[test]
    fn what_was_right_leaves_no_trace() {
        let mut limit = Limit::new();
        assert!((0..1000).all(|_| limit.succeed(Some("a"), "1")));
        assert!(limit.0.counters.is_empty());
        (1..PER_CALLER.most).for_each(|_| assert!(limit.fail(Some("a"), "1")));
        assert!((0..1000).all(|_| limit.succeed(Some("a"), "1")), "one try is left, and stays");
    }

    #[test]
    fn calls_at_once_are_no_more_than_calls_one_after_another() {
        let mut limit = Limit::new();
        let tenant = limit.1.clone();
        let guess = Guess { tenant: &tenant, caller: Some("a"), meeting: "1" };
        let at_once = (0..50).filter(|_| limit.0.take(&guess, START) == Verdict::Open).count();
        assert_eq!(at_once, PER_CALLER.most as usize);
        (0..at_once).for_each(|_| limit.0.give_back(&guess, START));
        assert!(limit.0.counters.is_empty());
    }

    #[test]
    fn counters_do_not_pile_up() {
        let mut limit = Limit::new();
        for number in 0..MAX_COUNTERS + 50 {
            limit.fail(Some(&number.to_string()), "1");
            limit.wait(PER_MEETING.each);
        }
        assert!(limit.0.counters.len() < MAX_COUNTERS, "those that are full again are dropped in time");
        let mut limit = Limit::new();
        for number in 0..MAX_COUNTERS / 3 + 50 {
            limit.1 = TenantId::from(number.to_string().as_str());
            limit.fail(Some("a"), &"9".repeat(1000));
        }
        assert!(limit.0.counters.len() <= MAX_COUNTERS);
    }
}
