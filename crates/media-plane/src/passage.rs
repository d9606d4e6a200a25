//! Legs that go from one media thread to another.
//!
//! A leg travels in its box through a ring with one place, made for this passage alone: the thread that it leaves neither
//! waits nor locks, and nobody else has a hand in it. It has a new name from the moment that it is asked to go. What the new
//! name is told before the leg is there waits for it on the thread where it is expected, in order, in room that the caller
//! has made; the caller also counts, so that the room is never too small.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::EventFd;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::command::Command;
use crate::leg::Leg;
use crate::{LegId, MediaPlane, MixerId, PlaneError};

/// Commands that a leg may be given before it has arrived, beside its close: it is there within a millisecond or two.
pub(crate) const HELD: usize = 32;

/// What the thread that a leg leaves is given.
pub(crate) struct Departure {
    /// The name that it has there.
    pub(crate) leg: LegId,
    /// The name that it goes on under.
    pub(crate) to: LegId,
    /// Whether there was none any more: a defect has ended it before.
    pub(crate) is_void: bool,
    ring: Producer<Passenger>,
    /// Wakes the thread that it goes to.
    wake: Arc<EventFd>,
}

/// What the thread that a leg goes to is given.
pub(crate) struct Arrival {
    /// The name that it has there.
    pub(crate) leg: LegId,
    /// Whether nobody has come.
    pub(crate) is_void: bool,
    /// What it was told before it has come.
    pub(crate) held: Vec<Command>,
    ring: Consumer<Passenger>,
    has_arrived: Arc<AtomicBool>,
}

/// Who comes.
pub(crate) enum Passenger {
    Leg(Box<Leg>),
    /// One that a defect has just ended, and that is to be closed.
    Broken(Box<Leg>),
    Nobody,
}

impl Departure {
    pub(crate) fn send(&mut self, passenger: Passenger) {
        self.is_void = matches!(passenger, Passenger::Nobody);
        // There is one place and one that takes it; the other end is gone only where the threads stop.
        let _ = self.ring.push(passenger);
        // One that is full is readable already.
        let _ = self.wake.write(1);
    }
}

impl Arrival {
    /// Who has come, if somebody has; no more is held from then on.
    pub(crate) fn take(&mut self) -> Option<Passenger> {
        let passenger = self.ring.pop().ok()?;
        self.is_void = matches!(passenger, Passenger::Nobody);
        self.has_arrived.store(true, Ordering::Release);
        Some(passenger)
    }
}

/// The callers' end of the commands for a thread.
pub(crate) struct Queue {
    ring: Producer<Command>,
    /// Places that only closes may take.
    reserved: usize,
    /// Legs that are on their way to this thread, or have just come.
    awaited: BTreeMap<LegId, Awaited>,
}

struct Awaited {
    has_arrived: Arc<AtomicBool>,
    /// What it may still be told before it has come.
    room: usize,
}

impl Queue {
    pub(crate) fn new(ring: Producer<Command>, reserved: usize) -> Self {
        Self { ring, reserved, awaited: BTreeMap::new() }
    }

    /// # Errors
    ///
    /// Returns [`PlaneError::Busy`] where there is no room, but for closes.
    pub(crate) fn push(&mut self, command: Command) -> Result<(), PlaneError> {
        let is_close = command.is_close();
        if !is_close && self.ring.slots() <= self.reserved {
            return Err(PlaneError::Busy);
        }
        if let Some(leg) = command.leg() {
            self.count(leg, is_close)?;
        }
        if let Command::Expect(arrival) = &command {
            self.awaited.retain(|_, awaited| !awaited.has_arrived.load(Ordering::Acquire));
            let has_arrived = Arc::clone(&arrival.has_arrived);
            self.awaited.insert(arrival.leg, Awaited { has_arrived, room: HELD });
        }
        self.ring.push(command).map_err(|_| PlaneError::Busy)
    }

    /// Counts what a leg is told while it is on its way.
    fn count(&mut self, leg: LegId, is_close: bool) -> Result<(), PlaneError> {
        let Some(awaited) = self.awaited.get_mut(&leg) else { return Ok(()) };
        if awaited.has_arrived.load(Ordering::Acquire) {
            self.awaited.remove(&leg);
        } else if is_close {
            // Nothing is said after it but by callers who have not heard of it yet.
            awaited.room = 0;
        } else {
            awaited.room = awaited.room.checked_sub(1).ok_or(PlaneError::Busy)?;
        }
        Ok(())
    }
}

/// Both ends of a leg's passage from its thread to that of its new name, which is woken by `wake`.
pub(crate) fn passage(leg: LegId, to: LegId, wake: Arc<EventFd>) -> (Box<Departure>, Box<Arrival>) {
    let (ring, out) = RingBuffer::new(1);
    let departure = Departure { leg, to, is_void: false, ring, wake };
    // Its close is held, too.
    let held = Vec::with_capacity(HELD + 1);
    let arrival = Arrival { leg: to, is_void: false, held, ring: out, has_arrived: Arc::default() };
    (Box::new(departure), Box::new(arrival))
}

impl MediaPlane {
    /// Brings a leg to the thread of a mixer, so that it can be a member, and returns the name that it has there; where it
    /// is there already nothing happens, and its name is the same.
    ///
    /// Its sockets or pipe, ports, keys, streams and counters go on, as do hold and whatever was negotiated: the far end
    /// misses a frame or two at most. What it was doing ends cancelled, under the old name: prompts, tones, recordings,
    /// captures and keys; it echoes nothing and is in no mixer. The old name is [`crate::MediaEvent::Moved`] in the end and
    /// means nothing to callers from here on; the new one can be used at once. Until the leg is there, which takes a
    /// millisecond or two, it may be told 32 things and to close.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::NoMixer`], [`PlaneError::TooManyLegs`] where the thread has no place for
    /// it, or [`PlaneError::Busy`]; the leg stays what and where it was then.
    pub fn bring(&self, leg: LegId, near: MixerId) -> Result<LegId, PlaneError> {
        // Locked until it is certain: a caller who looks for the leg in between must find one of its names.
        let mut registry = self.registry();
        let Some(brought) = registry.bring(leg, near)? else { return Ok(leg) };
        let expected = self.wake_of(brought.to.thread()).and_then(|wake| {
            let (departure, arrival) = passage(leg, brought.to, wake);
            self.push(brought.to.thread(), Command::Expect(arrival)).map(|()| departure)
        });
        match expected {
            // It finds room in the place of the leg's close.
            Ok(departure) => self.push(leg.thread(), Command::Depart(departure)).map(|()| brought.to),
            Err(error) => {
                registry.unbring(leg, brought);
                Err(error)
            }
        }
    }
}
