//! The sound of an application that hosts its own media: out of a hosted leg and into it, frame by frame.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use media_engine::Frame;
use nix::sys::eventfd::{EfdFlags, EventFd};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::conference::HOSTED_RATE;
use crate::stats::add;
use crate::{LegId, MediaPlane};
use crate::{PlaneError, command::Command};

/// Samples of a frame of a stream: 20 ms at 16 kHz.
pub const STREAM_FRAME_SAMPLES: usize = HOSTED_RATE.frame_samples();

/// Frames that may wait to be said: as much as a busy process may be late with its next.
const SAID_FRAMES: usize = 10;

/// Frames that may wait to be taken: what a process may stand still for before sound is lost.
const HEARD_FRAMES: usize = 50;

/// 20 ms of what a stream hears.
#[derive(Clone, Copy, Debug)]
pub struct HeardFrame {
    /// Counts the frames since the stream was opened; those that were lost are counted too.
    pub number: u64,
    /// The sound at 16 kHz.
    pub samples: [i16; STREAM_FRAME_SAMPLES],
    /// Whether nobody says anything.
    pub is_silent: bool,
}

/// What both ends of a stream count.
#[derive(Debug, Default)]
struct Counts {
    /// Frames that were heard by the others.
    played: AtomicU64,
    /// Frames, of those ever said, that are not to be heard any more.
    flushed: AtomicU64,
    /// Frames that nobody took in time.
    lost: AtomicU64,
}

/// The application's end of a stream; readable when there may be a frame. Dropping it ends the stream.
#[derive(Debug)]
pub struct StreamPort {
    heard: Consumer<HeardFrame>,
    said: Producer<[i16; STREAM_FRAME_SAMPLES]>,
    counts: Arc<Counts>,
    signal: Arc<EventFd>,
    pushed: u64,
}

impl StreamPort {
    /// Takes the next 20 ms that were heard; `None` when there is none for the moment.
    pub fn next_heard(&mut self) -> Option<HeardFrame> {
        if let Ok(frame) = self.heard.pop() {
            return Some(frame);
        }
        // Reset first and look again: what is pushed afterwards signals anew.
        let _ = self.signal.read();
        self.heard.pop().ok()
    }

    /// Whether the leg is closed, so that nothing is heard any more.
    pub fn is_closed(&self) -> bool {
        self.heard.is_abandoned()
    }

    /// How many frames may be said at once.
    pub fn room(&self) -> usize {
        self.said.slots()
    }

    /// Says 20 ms, after what waits to be said already; false where there is no room.
    pub fn say(&mut self, samples: [i16; STREAM_FRAME_SAMPLES]) -> bool {
        let is_taken = self.said.push(samples).is_ok();
        self.pushed += u64::from(is_taken);
        is_taken
    }

    /// Takes back what waits to be said.
    pub fn flush(&mut self) {
        self.counts.flushed.store(self.pushed, Ordering::Release);
    }

    /// Frames that were heard by the others so far.
    pub fn played(&self) -> u64 {
        self.counts.played.load(Ordering::Acquire)
    }

    /// Frames that were lost because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

impl AsFd for StreamPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

impl AsRawFd for StreamPort {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.as_fd().as_raw_fd()
    }
}

/// The media thread's end of a stream.
#[derive(Debug)]
pub(crate) struct Stream {
    heard: Producer<HeardFrame>,
    said: Consumer<[i16; STREAM_FRAME_SAMPLES]>,
    counts: Arc<Counts>,
    signal: Arc<EventFd>,
    number: u64,
    taken: u64,
}

impl Stream {
    /// Passes on what lies in the frame, which is at the rate of hosted legs.
    pub(crate) fn hear(&mut self, frame: &Frame) {
        let Ok(samples) = <[i16; STREAM_FRAME_SAMPLES]>::try_from(frame.samples()) else { return };
        let heard = HeardFrame { number: self.number, is_silent: samples.iter().all(|x| *x == 0), samples };
        self.number += 1;
        if self.heard.push(heard).is_err() {
            add(&self.counts.lost, 1);
        }
        // One that is full is readable already.
        let _ = self.signal.write(1);
    }

    /// Writes the next 20 ms to be said; false where there are none.
    pub(crate) fn fill(&mut self, frame: &mut Frame) -> bool {
        let flushed = self.counts.flushed.load(Ordering::Acquire);
        while self.taken < flushed && self.said.pop().is_ok() {
            self.taken += 1;
        }
        let Ok(samples) = self.said.pop() else { return false };
        self.taken += 1;
        frame.samples_mut().copy_from_slice(&samples);
        self.counts.played.fetch_add(1, Ordering::Release);
        true
    }
}

impl MediaPlane {
    /// Lets an application say and hear through a virtual leg, frame by frame, until the port is dropped or the leg
    /// closed. A stream that the leg had before ends.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`], [`PlaneError::Busy`] or [`PlaneError::System`].
    pub fn open_stream(&self, leg: LegId) -> Result<StreamPort, PlaneError> {
        let signal = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        let (heard, heard_out) = RingBuffer::new(HEARD_FRAMES);
        let (said, said_out) = RingBuffer::new(SAID_FRAMES);
        let counts = Arc::<Counts>::default();
        let stream = Stream {
            heard,
            said: said_out,
            counts: Arc::clone(&counts),
            signal: Arc::clone(&signal),
            number: 0,
            taken: 0,
        };
        self.push(leg.thread(), Command::Stream(leg, Box::new(stream)))?;
        Ok(StreamPort { heard: heard_out, said, counts, signal, pushed: 0 })
    }
}
