//! The store of the jitter buffer: payloads in the order of their timestamps, in memory of fixed size.

use crate::Codec;

/// Octets of a cell: 10 ms of G.711 or G.722; payloads take as many cells as they need.
const CELL: usize = 80;
/// Cells of a leg whose codec has 8 octets a millisecond: 480 ms, more than the largest target delay and a burst.
const CELLS_FIXED_RATE: u16 = 48;
/// Cells of an Opus leg: 960 ms at 32 kbit/s, 240 ms at 256 kbit/s.
const CELLS_OPUS: u16 = 96;
/// Packets that can wait; at 10 ms each as long as the cells last.
const MAX_ENTRIES: usize = 48;
/// Octets of the longest payload: an Ethernet packet's.
pub(crate) const MAX_STORED_PAYLOAD: usize = 1500;

/// A stored payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Extended timestamp of its first sample.
    pub(crate) timestamp: i64,
    /// Timestamp units that it covers.
    pub(crate) ticks: u32,
    /// What the packet said about its level (RFC 6464).
    pub(crate) level: Option<u8>,
    length: u16,
    first_cell: u16,
}

impl Entry {
    /// Extended timestamp just after its last sample.
    pub(crate) fn end(&self) -> i64 {
        self.timestamp.saturating_add(i64::from(self.ticks))
    }
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Duplicate,
    /// Kept, but the given number of the oldest payloads had to go.
    Overflow(u32),
    Kept,
    TooLong,
}

/// Payloads by timestamp.
#[derive(Debug)]
pub(crate) struct PacketStore {
    entries: Vec<Entry>,
    cells: Box<[[u8; CELL]]>,
    /// For each cell the one that follows it in its payload, or in the list of free cells.
    next: Box<[u16]>,
    free: u16,
    free_count: u16,
}

impl PacketStore {
    pub(crate) fn new(codec: Codec) -> Self {
        let count = if codec.is_octet_per_tick() { CELLS_FIXED_RATE } else { CELLS_OPUS };
        Self {
            entries: Vec::with_capacity(MAX_ENTRIES),
            cells: vec![[0; CELL]; usize::from(count)].into_boxed_slice(),
            next: (1..=count).collect(),
            free: 0,
            free_count: count,
        }
    }

    pub(crate) fn clear(&mut self) {
        while self.pop_front() {}
    }

    pub(crate) fn front(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// Extended timestamp after the newest sample.
    pub(crate) fn newest_end(&self) -> Option<i64> {
        self.entries.last().map(Entry::end)
    }

    /// Stores a payload; makes room by dropping the oldest.
    pub(crate) fn insert(
        &mut self,
        (timestamp, ticks): (i64, u32),
        level: Option<u8>,
        payload: &[u8],
    ) -> Stored {
        let place = match self.entries.binary_search_by_key(&timestamp, |e| e.timestamp) {
            Ok(_) => return Stored::Duplicate,
            Err(place) => place,
        };
        let needed = payload.len().div_ceil(CELL);
        if payload.len() > MAX_STORED_PAYLOAD || needed > self.cells.len() || needed == 0 {
            return Stored::TooLong;
        }
        let mut dropped = 0;
        while usize::from(self.free_count) < needed || self.entries.len() >= MAX_ENTRIES {
            self.pop_front();
            dropped += 1;
        }
        let place = place.saturating_sub(dropped as usize);
        let first_cell = self.fill_cells(payload);
        let length = payload.len() as u16;
        self.entries.insert(place, Entry { timestamp, ticks, level, length, first_cell });
        if dropped > 0 { Stored::Overflow(dropped) } else { Stored::Kept }
    }

    /// Copies the first payload to `out`; returns its length.
    pub(crate) fn copy_front(&self, out: &mut [u8; MAX_STORED_PAYLOAD]) -> usize {
        let Some(entry) = self.entries.first() else { return 0 };
        let length = usize::from(entry.length);
        let mut cell = usize::from(entry.first_cell);
        for part in out.get_mut(..length).unwrap_or_default().chunks_mut(CELL) {
            let Some(stored) = self.cells.get(cell) else { return 0 };
            for (slot, octet) in part.iter_mut().zip(stored) {
                *slot = *octet;
            }
            cell = self.next.get(cell).copied().map_or(0, usize::from);
        }
        length
    }

    /// Drops the first payload; false when there is none.
    pub(crate) fn pop_front(&mut self) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let entry = self.entries.remove(0);
        let used = usize::from(entry.length).div_ceil(CELL);
        let mut last = entry.first_cell;
        for _ in 1..used {
            last = self.next.get(usize::from(last)).copied().unwrap_or(last);
        }
        if let Some(link) = self.next.get_mut(usize::from(last)) {
            *link = self.free;
            self.free = entry.first_cell;
            self.free_count += used as u16;
        }
        true
    }

    /// Takes free cells for a payload that is known to fit; returns the first.
    fn fill_cells(&mut self, payload: &[u8]) -> u16 {
        let first = self.free;
        for part in payload.chunks(CELL) {
            let cell = usize::from(self.free);
            if let (Some(stored), Some(next)) = (self.cells.get_mut(cell), self.next.get(cell)) {
                for (slot, octet) in stored.iter_mut().zip(part) {
                    *slot = *octet;
                }
                self.free = *next;
                self.free_count -= 1;
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_store_holds_what_a_map_would(
            steps in proptest::collection::vec((0_i64..60, 1_usize..600, any::<bool>()), 1..200),
        ) {
            let mut store = PacketStore::new(Codec::Pcmu);
            let mut model: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
            for (n, (timestamp, length, is_pop)) in steps.into_iter().enumerate() {
                if is_pop {
                    let mut out = [0; MAX_STORED_PAYLOAD];
                    let length = store.copy_front(&mut out);
                    let expected = model.pop_first().unwrap_or_default();
                    prop_assert_eq!(&out[..length], &expected.1[..]);
                    store.pop_front();
                } else {
                    let payload = vec![n as u8; length];
                    match store.insert((timestamp, 1), None, &payload) {
                        Stored::Duplicate => prop_assert!(model.contains_key(&timestamp)),
                        Stored::Overflow(dropped) => {
                            for _ in 0..dropped { model.pop_first(); }
                            model.insert(timestamp, payload);
                        }
                        Stored::Kept => { model.insert(timestamp, payload); }
                        Stored::TooLong => prop_assert!(false),
                    }
                }
                let expected_front = model.first_key_value().map(|(t, _)| *t);
                prop_assert_eq!(store.front().map(|e| e.timestamp), expected_front);
                prop_assert_eq!(store.newest_end(), model.last_key_value().map(|(t, _)| t + 1));
            }
            store.clear();
            prop_assert_eq!(store.free_count, CELLS_FIXED_RATE);
        }
    }
}
