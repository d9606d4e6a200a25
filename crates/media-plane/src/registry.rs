//! Which legs and ports exist: known to callers and to the file thread, never to a media thread.

use std::collections::BTreeMap;
use std::time::Duration;

use media_engine::{Codec, SampleRate};

use crate::conference::HOSTED_RATE;
use crate::ports::{PortPool, RtpPort};
use crate::{LegId, MixerId, PlaneError};

/// The weight of a leg that is not configured yet, and of being a member of a mixer: about a microsecond of each round.
const IDLE_COST: u32 = 1;
const MEMBER_COST: u32 = 1;

/// Weights of codecs, from their measured costs per frame for one listener: a G.711 leg is mostly system calls, Opus mostly
/// encoding.
pub(crate) fn cost(codec: Codec) -> u32 {
    match codec {
        Codec::Pcma | Codec::Pcmu => 8,
        Codec::G722 => 16,
        Codec::Opus => 72,
    }
}

/// Weights of legs in a mixer: most of them share what others encode.
fn shared_cost(codec: Codec) -> u32 {
    match codec {
        Codec::Pcma | Codec::Pcmu => 8,
        Codec::G722 | Codec::Opus => 16,
    }
}

#[derive(Debug)]
pub(crate) struct Registry {
    threads: Vec<Book>,
    legs: BTreeMap<LegId, Entry>,
    mixers: BTreeMap<MixerId, Members>,
    pub(crate) ports: PortPool,
    quarantine: Duration,
}

/// Places of one thread.
#[derive(Debug)]
struct Book {
    legs: Places,
    mixers: Places,
    load: u32,
}

/// Numbers that can be given out, and how often each was.
#[derive(Debug)]
struct Places {
    free: Vec<u32>,
    generations: Vec<u32>,
}

impl Places {
    fn new(count: usize) -> Self {
        Self { free: (0..count as u32).rev().collect(), generations: vec![0; count] }
    }

    fn take(&mut self) -> Option<(u32, u32)> {
        let index = self.free.pop()?;
        let generation = self.generations.get_mut(index as usize)?;
        *generation = generation.wrapping_add(1);
        Some((*generation, index))
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    codec: Option<Codec>,
    is_hosted: bool,
    is_closing: bool,
    mixer: Option<MixerId>,
}

impl Entry {
    const NEW: Self = Self { codec: None, is_hosted: false, is_closing: false, mixer: None };

    fn cost(&self) -> u32 {
        match (self.codec, self.mixer) {
            (None, None) => IDLE_COST,
            (None, Some(_)) => IDLE_COST + MEMBER_COST,
            (Some(codec), None) => cost(codec),
            (Some(codec), Some(_)) => shared_cost(codec) + MEMBER_COST,
        }
    }

    fn rate(&self) -> Option<SampleRate> {
        if self.is_hosted { Some(HOSTED_RATE) } else { self.codec.map(Codec::sample_rate) }
    }
}

/// How many there are in a mixer, and may be.
#[derive(Clone, Copy, Debug)]
struct Members {
    count: usize,
    max: usize,
}

/// What a leg that joins a mixer is, and the mixer that it leaves for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) rate: Option<SampleRate>,
    pub(crate) before: Option<MixerId>,
}

/// What a leg is called on the thread that it is brought to, and the mixer that it was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brought {
    pub(crate) to: LegId,
    before: Option<MixerId>,
}

impl Registry {
    pub(crate) fn new(threads: usize, legs_per_thread: usize, ports: PortPool, quarantine: Duration) -> Self {
        let book =
            || Book { legs: Places::new(legs_per_thread), mixers: Places::new(legs_per_thread), load: 0 };
        let threads = std::iter::repeat_with(book).take(threads).collect();
        Self { threads, legs: BTreeMap::new(), mixers: BTreeMap::new(), ports, quarantine }
    }

    /// Takes a place on the least loaded thread that has one.
    pub(crate) fn reserve(&mut self) -> Result<LegId, PlaneError> {
        let books = self.threads.iter().enumerate().filter(|(_, book)| !book.legs.free.is_empty());
        let least = books.min_by_key(|(_, book)| book.load).ok_or(PlaneError::TooManyLegs)?;
        self.reserve_on(least.0)
    }

    /// Takes a place on the thread of a mixer.
    pub(crate) fn reserve_at(&mut self, mixer: MixerId) -> Result<LegId, PlaneError> {
        if !self.mixers.contains_key(&mixer) {
            return Err(PlaneError::NoMixer);
        }
        self.reserve_on(mixer.thread())
    }

    fn reserve_on(&mut self, thread: usize) -> Result<LegId, PlaneError> {
        let book = self.threads.get_mut(thread).ok_or(PlaneError::TooManyLegs)?;
        let (generation, index) = book.legs.take().ok_or(PlaneError::TooManyLegs)?;
        book.load += Entry::NEW.cost();
        let leg = LegId::new(generation, thread as u8, index);
        self.legs.insert(leg, Entry::NEW);
        Ok(leg)
    }

    /// Gives the place back, and the port to rest where it was bound.
    pub(crate) fn release(&mut self, leg: LegId, port: Option<RtpPort>, now: Duration) {
        self.change(leg, |entry| entry.mixer = None);
        if let (Some(entry), Some(book)) = (self.legs.remove(&leg), self.threads.get_mut(leg.thread())) {
            book.load = book.load.saturating_sub(entry.cost());
            book.legs.free.push(leg.index() as u32);
        }
        if let Some(port) = port {
            self.ports.give_back(port, now + self.quarantine);
        }
    }

    /// Gives a leg a place on the thread of a mixer, and its name there; `None` where it is there already.
    ///
    /// The old name means nothing from here on; its place is free only once the leg has left it ([`Self::vacate`]).
    pub(crate) fn bring(&mut self, leg: LegId, near: MixerId) -> Result<Option<Brought>, PlaneError> {
        let before = self.open_leg(leg)?.mixer;
        if !self.mixers.contains_key(&near) {
            return Err(PlaneError::NoMixer);
        }
        if leg.can_join(near) {
            return Ok(None);
        }
        let to = self.reserve_on(near.thread())?;
        self.change(leg, |entry| entry.mixer = None);
        self.rename(leg, to);
        Ok(Some(Brought { to, before }))
    }

    /// Undoes what the media threads were not told of.
    pub(crate) fn unbring(&mut self, leg: LegId, brought: Brought) {
        self.rename(brought.to, leg);
        self.vacate(brought.to);
        self.unjoin(leg, brought.before);
    }

    /// Gives the place of an old name back.
    pub(crate) fn vacate(&mut self, leg: LegId) {
        if let Some(book) = self.threads.get_mut(leg.thread()) {
            book.legs.free.push(leg.index() as u32);
        }
    }

    fn rename(&mut self, leg: LegId, to: LegId) {
        let Some(entry) = self.legs.remove(&leg) else { return };
        if let Some(book) = self.threads.get_mut(leg.thread()) {
            book.load = book.load.saturating_sub(entry.cost());
        }
        let reserved = self.legs.insert(to, entry).map_or(0, |reserved| reserved.cost());
        if let Some(book) = self.threads.get_mut(to.thread()) {
            book.load = book.load.saturating_sub(reserved) + entry.cost();
        }
    }

    /// Notes the codec of a leg; tells whether it is in a mixer.
    pub(crate) fn configured(&mut self, leg: LegId, codec: Codec) -> Result<bool, PlaneError> {
        let entry = self.open_leg(leg)?;
        if entry.is_hosted {
            return Err(PlaneError::NoLeg);
        }
        self.change(leg, |entry| entry.codec = Some(codec));
        Ok(entry.mixer.is_some())
    }

    /// Makes a leg that was reserved one without sockets.
    pub(crate) fn virtual_leg(&mut self, leg: LegId) -> Result<(), PlaneError> {
        self.open_leg(leg)?;
        self.change(leg, |entry| entry.is_hosted = true);
        Ok(())
    }

    /// Whether a leg is one without a far end.
    pub(crate) fn is_hosted(&self, leg: LegId) -> Result<bool, PlaneError> {
        Ok(self.open_leg(leg)?.is_hosted)
    }

    /// The rate of a configured leg's frames.
    pub(crate) fn rate(&self, leg: LegId) -> Result<SampleRate, PlaneError> {
        self.open_leg(leg)?.rate().ok_or(PlaneError::NoLeg)
    }

    /// Marks a leg so that it is closed once and takes no more commands.
    pub(crate) fn close(&mut self, leg: LegId) -> Result<(), PlaneError> {
        self.open_leg(leg)?;
        self.change(leg, |entry| (entry.is_closing, entry.mixer) = (true, None));
        Ok(())
    }

    /// Takes a place for a mixer on the thread of a leg, or on the least loaded one.
    pub(crate) fn open_mixer(&mut self, max: usize, near: Option<LegId>) -> Result<MixerId, PlaneError> {
        let thread = match near {
            Some(leg) => self.open_leg(leg).map(|_| leg.thread())?,
            None => {
                let books = self.threads.iter().enumerate().filter(|(_, book)| !book.mixers.free.is_empty());
                books.min_by_key(|(_, book)| book.load).ok_or(PlaneError::TooManyMixers)?.0
            }
        };
        let book = self.threads.get_mut(thread).ok_or(PlaneError::TooManyMixers)?;
        let (generation, index) = book.mixers.take().ok_or(PlaneError::TooManyMixers)?;
        let mixer = MixerId::new(generation, thread as u8, index);
        self.mixers.insert(mixer, Members { count: 0, max });
        Ok(mixer)
    }

    /// Gives a mixer's place back; its members are in none then.
    pub(crate) fn close_mixer(&mut self, mixer: MixerId) -> Result<(), PlaneError> {
        let members = self.mixers.get(&mixer).ok_or(PlaneError::NoMixer)?;
        if members.count > 0 {
            let legs = self.legs.iter().filter(|(_, entry)| entry.mixer == Some(mixer));
            let legs: Vec<LegId> = legs.map(|(leg, _)| *leg).collect();
            for leg in legs {
                self.change(leg, |entry| entry.mixer = None);
            }
        }
        self.mixers.remove(&mixer);
        if let Some(book) = self.threads.get_mut(mixer.thread()) {
            book.mixers.free.push(mixer.index() as u32);
        }
        Ok(())
    }

    /// Puts a leg into a mixer, out of the one that it is in.
    pub(crate) fn join(&mut self, leg: LegId, mixer: MixerId) -> Result<Joined, PlaneError> {
        let entry = self.open_leg(leg)?;
        let members = self.mixers.get(&mixer).ok_or(PlaneError::NoMixer)?;
        if leg.thread() != mixer.thread() {
            return Err(PlaneError::OtherThread);
        }
        if entry.mixer != Some(mixer) && members.count >= members.max {
            return Err(PlaneError::TooManyMembers);
        }
        self.change(leg, |entry| entry.mixer = Some(mixer));
        Ok(Joined { rate: entry.rate(), before: entry.mixer })
    }

    /// Undoes what a media thread was not told of.
    pub(crate) fn unjoin(&mut self, leg: LegId, before: Option<MixerId>) {
        let before = before.filter(|mixer| self.mixers.contains_key(mixer));
        self.change(leg, |entry| entry.mixer = before);
    }

    /// Takes a leg out of its mixer, and tells which that was.
    pub(crate) fn leave(&mut self, leg: LegId) -> Result<Option<MixerId>, PlaneError> {
        let mixer = self.open_leg(leg)?.mixer;
        self.change(leg, |entry| entry.mixer = None);
        Ok(mixer)
    }

    pub(crate) fn mixer_of(&self, leg: LegId) -> Result<MixerId, PlaneError> {
        self.open_leg(leg)?.mixer.ok_or(PlaneError::NoMixer)
    }

    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn mixers(&self) -> usize {
        self.mixers.len()
    }

    fn open_leg(&self, leg: LegId) -> Result<Entry, PlaneError> {
        self.legs.get(&leg).filter(|entry| !entry.is_closing).copied().ok_or(PlaneError::NoLeg)
    }

    /// Changes what is known of a leg, and with it the loads and the numbers of members.
    fn change(&mut self, leg: LegId, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let before = *entry;
        change(entry);
        let after = *entry;
        if let Some(book) = self.threads.get_mut(leg.thread()) {
            book.load = book.load.saturating_sub(before.cost()) + after.cost();
        }
        if before.mixer == after.mixer {
            return;
        }
        if let Some(left) = before.mixer.and_then(|mixer| self.mixers.get_mut(&mixer)) {
            left.count = left.count.saturating_sub(1);
        }
        if let Some(joined) = after.mixer.and_then(|mixer| self.mixers.get_mut(&mixer)) {
            joined.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(threads: usize, legs: usize) -> Registry {
        Registry::new(threads, legs, PortPool::new(20_000, 20_100), Duration::from_secs(5))
    }

    #[test]
    fn legs_spread_by_load_and_are_never_named_twice() {
        let mut registry = registry(2, 2);
        let first = registry.reserve().unwrap();
        registry.configured(first, Codec::Opus).unwrap();
        let others = [registry.reserve().unwrap(), registry.reserve().unwrap()];

        assert!(others.iter().all(|leg| leg.thread() != first.thread()));
        registry.release(first, Some(20_000), Duration::ZERO);
        assert_ne!(registry.reserve().unwrap(), first);
        assert_eq!(registry.legs(), 3);
    }

    #[test]
    fn a_full_plane_says_so() {
        let mut registry = registry(1, 1);
        registry.reserve().unwrap();
        assert!(matches!(registry.reserve(), Err(PlaneError::TooManyLegs)));
    }

    #[test]
    fn a_leg_is_closed_once() {
        let mut registry = registry(1, 1);
        let leg = registry.reserve().unwrap();
        registry.configured(leg, Codec::Pcmu).unwrap();

        registry.close(leg).unwrap();

        assert!(matches!(registry.close(leg), Err(PlaneError::NoLeg)));
        assert!(matches!(registry.rate(leg), Err(PlaneError::NoLeg)));
    }

    #[test]
    fn members_are_counted_until_they_leave_or_close() {
        let mut registry = registry(1, 4);
        let mixer = registry.open_mixer(2, None).unwrap();
        let legs = [(); 3].map(|()| registry.reserve_at(mixer).unwrap());
        let mut join = |leg| registry.join(leg, mixer).map(|joined| joined.before);

        assert!(matches!((join(legs[0]), join(legs[1]), join(legs[1])), (Ok(None), Ok(None), Ok(Some(_)))));
        assert!(matches!(join(legs[2]), Err(PlaneError::TooManyMembers)));
        assert_eq!(registry.leave(legs[0]).unwrap(), Some(mixer));
        assert_eq!(registry.leave(legs[0]).unwrap(), None);
        registry.join(legs[2], mixer).unwrap();
        registry.close(legs[1]).unwrap();
        registry.join(legs[0], mixer).unwrap();
    }

    #[test]
    fn members_are_on_the_thread_of_their_mixer() {
        let mut registry = registry(2, 4);
        let near = registry.reserve().unwrap();
        registry.configured(near, Codec::Opus).unwrap();
        let (mixer, other) =
            (registry.open_mixer(9, Some(near)).unwrap(), registry.open_mixer(9, None).unwrap());

        assert_eq!(registry.reserve_at(mixer).unwrap().thread(), near.thread());
        assert_ne!(other.thread(), mixer.thread());
        assert!(matches!(registry.join(near, other), Err(PlaneError::OtherThread)));
    }

    /// Legs, members and loads of two threads.
    fn counts(registry: &Registry, mixer: MixerId) -> (usize, usize, [u32; 2], [usize; 2]) {
        let books = [&registry.threads[0], &registry.threads[1]];
        let free = books.map(|book| book.legs.free.len());
        (registry.legs(), registry.mixers[&mixer].count, books.map(|book| book.load), free)
    }

    #[test]
    fn a_leg_that_is_brought_is_counted_where_it_is_and_its_old_place_rests_until_it_has_left() {
        let mut registry = registry(2, 2);
        let leg = registry.reserve().unwrap();
        registry.configured(leg, Codec::Opus).unwrap();
        let (near, far) = (registry.open_mixer(9, Some(leg)).unwrap(), registry.open_mixer(9, None).unwrap());
        registry.join(leg, near).unwrap();
        let before = counts(&registry, near);

        let brought = registry.bring(leg, far).unwrap().unwrap();
        assert!(matches!(registry.close(leg), Err(PlaneError::NoLeg)));
        assert_eq!(registry.rate(brought.to).unwrap(), SampleRate::Hz48000);
        assert_eq!(counts(&registry, near), (1, 0, [0, cost(Codec::Opus)], [1, 1]));
        assert!(matches!(registry.bring(brought.to, far), Ok(None)));

        registry.unbring(leg, brought);
        assert_eq!(counts(&registry, near), before);
        assert!(matches!(registry.close(brought.to), Err(PlaneError::NoLeg)));

        let brought = registry.bring(leg, far).unwrap().unwrap();
        registry.join(brought.to, far).unwrap();
        registry.vacate(leg);
        registry.close(brought.to).unwrap();
        registry.release(brought.to, None, Duration::ZERO);
        assert_eq!(counts(&registry, far), (0, 0, [0, 0], [2, 2]));
    }

    #[test]
    fn a_leg_is_not_brought_to_where_there_is_no_place_for_it() {
        let mut registry = registry(2, 1);
        let legs = [registry.reserve().unwrap(), registry.reserve().unwrap()];
        let mixer = registry.open_mixer(9, Some(legs[1])).unwrap();
        assert!(matches!(registry.bring(legs[0], mixer), Err(PlaneError::TooManyLegs)));
        registry.close_mixer(mixer).unwrap();
        assert!(matches!(registry.bring(legs[0], mixer), Err(PlaneError::NoMixer)));
        registry.close(legs[0]).unwrap();
        assert!(matches!(registry.bring(legs[0], mixer), Err(PlaneError::NoLeg)));
    }

    #[test]
    fn a_mixer_that_closes_lets_its_members_go_and_its_name_is_not_used_again() {
        let mut registry = registry(1, 1);
        let mixer = registry.open_mixer(1, None).unwrap();
        let leg = registry.reserve_at(mixer).unwrap();
        registry.join(leg, mixer).unwrap();
        assert!(matches!(registry.open_mixer(1, None), Err(PlaneError::TooManyMixers)));

        registry.close_mixer(mixer).unwrap();

        assert!(matches!(registry.mixer_of(leg), Err(PlaneError::NoMixer)));
        assert!(matches!(registry.close_mixer(mixer), Err(PlaneError::NoMixer)));
        assert_ne!(registry.open_mixer(1, None).unwrap(), mixer);
        assert_eq!(registry.mixers(), 1);
    }
}
