//! Which legs and ports exist: known to callers and to the file thread, never to a media thread.

use std::collections::BTreeMap;
use std::time::Duration;

use media_engine::{Codec, SampleRate};

use crate::ports::{PortPool, RtpPort};
use crate::{LegId, PlaneError};

/// The weight of a leg that is not configured yet.
const IDLE_COST: u32 = 1;

/// Weights of codecs, from their measured costs per frame: a G.711 leg is mostly system calls, Opus mostly
/// encoding.
pub(crate) fn cost(codec: Codec) -> u32 {
    match codec {
        Codec::Pcma | Codec::Pcmu => 1,
        Codec::G722 => 2,
        Codec::Opus => 12,
    }
}

#[derive(Debug)]
pub(crate) struct Registry {
    threads: Vec<Book>,
    legs: BTreeMap<LegId, Entry>,
    pub(crate) ports: PortPool,
    quarantine: Duration,
}

/// Places of one thread.
#[derive(Debug)]
struct Book {
    free: Vec<u32>,
    generations: Vec<u32>,
    load: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cost: u32,
    rate: Option<SampleRate>,
    is_closing: bool,
}

impl Registry {
    pub(crate) fn new(threads: usize, legs_per_thread: usize, ports: PortPool, quarantine: Duration) -> Self {
        let places = legs_per_thread as u32;
        let book =
            || Book { free: (0..places).rev().collect(), generations: vec![0; legs_per_thread], load: 0 };
        let threads = std::iter::repeat_with(book).take(threads).collect();
        Self { threads, legs: BTreeMap::new(), ports, quarantine }
    }

    /// Takes a place on the least loaded thread that has one.
    pub(crate) fn reserve(&mut self) -> Result<LegId, PlaneError> {
        let books = self.threads.iter_mut().enumerate().filter(|(_, book)| !book.free.is_empty());
        let (thread, book) = books.min_by_key(|(_, book)| book.load).ok_or(PlaneError::TooManyLegs)?;
        let index = book.free.pop().ok_or(PlaneError::TooManyLegs)?;
        let generation = book.generations.get_mut(index as usize).ok_or(PlaneError::TooManyLegs)?;
        *generation = generation.wrapping_add(1);
        book.load += IDLE_COST;
        let leg = LegId::new(*generation, thread as u8, index);
        self.legs.insert(leg, Entry { cost: IDLE_COST, rate: None, is_closing: false });
        Ok(leg)
    }

    /// Gives the place back, and the port to rest where it was bound.
    pub(crate) fn release(&mut self, leg: LegId, port: Option<RtpPort>, now: Duration) {
        if let (Some(entry), Some(book)) = (self.legs.remove(&leg), self.threads.get_mut(leg.thread())) {
            book.load = book.load.saturating_sub(entry.cost);
            book.free.push(leg.index() as u32);
        }
        if let Some(port) = port {
            self.ports.give_back(port, now + self.quarantine);
        }
    }

    pub(crate) fn configured(&mut self, leg: LegId, codec: Codec) -> Result<(), PlaneError> {
        let entry = self.legs.get_mut(&leg).filter(|entry| !entry.is_closing).ok_or(PlaneError::NoLeg)?;
        let book = self.threads.get_mut(leg.thread()).ok_or(PlaneError::NoLeg)?;
        book.load = book.load.saturating_sub(entry.cost) + cost(codec);
        (entry.cost, entry.rate) = (cost(codec), Some(codec.sample_rate()));
        Ok(())
    }

    /// The rate of a configured leg's frames.
    pub(crate) fn rate(&self, leg: LegId) -> Result<SampleRate, PlaneError> {
        let entry = self.legs.get(&leg).filter(|entry| !entry.is_closing);
        entry.and_then(|entry| entry.rate).ok_or(PlaneError::NoLeg)
    }

    /// Marks a leg so that it is closed once and takes no more commands.
    pub(crate) fn close(&mut self, leg: LegId) -> Result<(), PlaneError> {
        let entry = self.legs.get_mut(&leg).filter(|entry| !entry.is_closing).ok_or(PlaneError::NoLeg)?;
        entry.is_closing = true;
        Ok(())
    }

    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
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
}
