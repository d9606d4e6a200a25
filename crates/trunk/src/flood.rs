//! Whether a refused call is worth an answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use model::Timestamp;

use crate::bucket::TokenBucket;

/// How many sources are told apart: a table of some hundred kilobytes.
const MAX_SOURCES: usize = 4096;

/// How many refusals a source is answered within a second: a peer that is set up wrongly sees why, and a flood is not
/// sent back to an address that may be forged. Arbitrary.
const ANSWERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How many refusals all sources beyond the table are answered within a second, together. Arbitrary.
const OTHER_ANSWERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// How often room is sought in a full table, which means to go through it.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Why a call that came in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// The trunk has begun as many calls as it may within a second.
    TooFast,
    /// The trunk has as many calls as it may.
    TooMany,
    /// Nobody has the number.
    UnknownNumber,
    /// No trunk has the source.
    Unlisted,
}

/// How many calls were refused, by the reason, and how many of them without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FloodCounts {
    /// [`Refused::TooFast`].
    pub too_fast: u64,
    /// [`Refused::TooMany`].
    pub too_many: u64,
    /// [`Refused::UnknownNumber`].
    pub unknown_number: u64,
    /// [`Refused::Unlisted`].
    pub unlisted: u64,
    /// Of all these, those that got no answer.
    pub dropped: u64,
}

/// Decides which refusals are answered, so that nobody's flood comes back as one of ours.
///
/// A source is an IPv4 address, or the network of an IPv6 address (64 bits), as whoever has one address of it has all.
/// Sources that are quiet again are forgotten; those that find the table full share one allowance, so that nobody gets
/// a fresh one by changing addresses.
#[derive(Debug)]
pub struct FloodGuard {
    sources: BTreeMap<Source, TokenBucket>,
    /// Of all sources that are not in the table.
    others: TokenBucket,
    swept: Option<Timestamp>,
    counts: FloodCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

impl FloodGuard {
    /// Knows no source yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            sources: BTreeMap::new(),
            others: TokenBucket::full(OTHER_ANSWERS_PER_SECOND, now),
            swept: None,
            counts: FloodCounts::default(),
        }
    }

    /// Counts a refusal, and says whether it is answered.
    pub fn is_answered(&mut self, source: IpAddr, refused: Refused, now: Timestamp) -> bool {
        let count = match refused {
            Refused::TooFast => &mut self.counts.too_fast,
            Refused::TooMany => &mut self.counts.too_many,
            Refused::UnknownNumber => &mut self.counts.unknown_number,
            Refused::Unlisted => &mut self.counts.unlisted,
        };
        *count = count.saturating_add(1);
        let is_answered = self.bucket(source.into(), now).take(now);
        self.counts.dropped = self.counts.dropped.saturating_add(u64::from(!is_answered));
        is_answered
    }

    /// How many were refused since the guard was made.
    pub const fn counts(&self) -> FloodCounts {
        self.counts
    }

    fn bucket(&mut self, source: Source, now: Timestamp) -> &mut TokenBucket {
        if !self.sources.contains_key(&source) && self.sources.len() >= MAX_SOURCES {
            self.sweep(now);
            if self.sources.len() >= MAX_SOURCES {
                return &mut self.others;
            }
        }
        self.sources.entry(source).or_insert_with(|| TokenBucket::full(ANSWERS_PER_SECOND, now))
    }

    /// Forgets those of whom nothing is known any more but that they once called.
    fn sweep(&mut self, now: Timestamp) {
        // A clock that was put back may not hold this up for as long.
        let is_soon = |swept: Timestamp| swept <= now && now.since(swept) < SWEEP_INTERVAL;
        if self.swept.is_some_and(is_soon) {
            return;
        }
        self.swept = Some(now);
        self.sources.retain(|_, bucket| !bucket.is_full(now));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use model::Timestamp;

    use super::{FloodCounts, FloodGuard, MAX_SOURCES, Refused};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn answers(guard: &mut FloodGuard, source: IpAddr, asked: usize, now: Timestamp) -> usize {
        (0..asked).filter(|_| guard.is_answered(source, Refused::Unlisted, now)).count()
    }

    fn numbered(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn a_flood_is_answered_a_few_times_a_second_and_others_are_not_touched() {
        let mut guard = FloodGuard::new(at(0));
        let (flooding, quiet) = (numbered(1), numbered(2));
        assert_eq!(answers(&mut guard, flooding, 1000, at(0)), 5);
        assert_eq!(answers(&mut guard, quiet, 3, at(0)), 3);
        assert_eq!(answers(&mut guard, flooding, 1000, at(1000)), 5);
        let counts = guard.counts();
        assert_eq!(counts, FloodCounts { unlisted: 2003, dropped: 1990, ..FloodCounts::default() });
    }

    #[test]
    fn each_reason_is_counted_apart() {
        let mut guard = FloodGuard::new(at(0));
        for refused in [Refused::TooFast, Refused::TooMany, Refused::UnknownNumber, Refused::Unlisted] {
            assert!(guard.is_answered(numbered(1), refused, at(0)));
        }
        let once = FloodCounts { too_fast: 1, too_many: 1, unknown_number: 1, unlisted: 1, dropped: 0 };
        assert_eq!(guard.counts(), once);
    }

    #[test]
    fn one_network_of_ipv6_is_one_source_and_a_mapped_address_is_its_own() {
        let mut guard = FloodGuard::new(at(0));
        let of = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(answers(&mut guard, of("2001:db8::1"), 3, at(0)), 3);
        assert_eq!(answers(&mut guard, of("2001:db8::ffff:1"), 3, at(0)), 2);
        assert_eq!(answers(&mut guard, of("2001:db8:0:1::1"), 3, at(0)), 3);
        assert_eq!(answers(&mut guard, of("192.0.2.1"), 4, at(0)), 4);
        assert_eq!(answers(&mut guard, of("::ffff:192.0.2.1"), 4, at(0)), 1);
    }

    #[test]
    fn changing_addresses_fills_the_table_once_and_gives_no_more_than_all_share() {
        let mut guard = FloodGuard::new(at(0));
        let all = MAX_SOURCES + 1000;
        let answered: usize = (0..all).map(|source| answers(&mut guard, numbered(source), 1, at(0))).sum();
        assert_eq!((answered, guard.sources.len()), (MAX_SOURCES + 50, MAX_SOURCES));
        // Those that called once are quiet 200 ms later, and make room.
        assert_eq!(answers(&mut guard, numbered(all), 9, at(2000)), 5);
        assert!(guard.sources.len() < MAX_SOURCES);
    }
}
