//! What callers ask of a media thread, and what a media thread hands on to be freed.

use std::collections::VecDeque;
use std::thread::Thread;

use media_engine::{Audience, Converters, Seat, Tone};
use rtrb::{Producer, PushError};

use crate::leg::{Leg, Media, PlayJob};
use crate::mixer::Mixer;
use crate::passage::{Arrival, Departure};
use crate::stream::Stream;
use crate::tape::Tape;
use crate::{JobId, LegId, LegSample, MixerId};

/// Everything in it was built by the caller, so that taking it costs the media thread nothing.
pub(crate) enum Command {
    Open(Box<Leg>),
    /// A leg is to go to another thread.
    Depart(Box<Departure>),
    /// A leg comes from another thread.
    Expect(Box<Arrival>),
    Configure(LegId, Box<Media>),
    Play(LegId, Box<PlayJob>),
    Tape(LegId, Box<Tape>),
    Stream(LegId, Box<Stream>),
    SendTones(LegId, Box<ToneJob>),
    Echo(LegId, bool),
    /// Filled in, and sent back as an event.
    Sample(LegId, Box<LegSample>),
    Stop(LegId, JobId),
    Close(LegId),
    OpenMixer(Box<Mixer>),
    CloseMixer(MixerId),
    Join(LegId, MixerId, Box<Seat>),
    Leave(LegId),
    Mute(LegId, bool),
    Route(LegId, Box<Audience>),
}

impl Command {
    /// True for what finds room in any case, so that nothing stays open for want of it.
    ///
    /// A leg that departs is not closed any more where it was, so one place for each leg and mixer is enough.
    pub(crate) fn is_close(&self) -> bool {
        matches!(self, Self::Close(_) | Self::CloseMixer(_) | Self::Depart(_))
    }

    /// The leg that it is for, which has been opened or is expected.
    pub(crate) fn leg(&self) -> Option<LegId> {
        match self {
            Self::Depart(departure) => Some(departure.leg),
            Self::Configure(leg, _)
            | Self::Play(leg, _)
            | Self::Tape(leg, _)
            | Self::Stream(leg, _)
            | Self::SendTones(leg, _)
            | Self::Echo(leg, _)
            | Self::Sample(leg, _)
            | Self::Stop(leg, _)
            | Self::Close(leg)
            | Self::Join(leg, _, _)
            | Self::Leave(leg)
            | Self::Mute(leg, _)
            | Self::Route(leg, _) => Some(*leg),
            Self::Open(_) | Self::Expect(_) | Self::OpenMixer(_) | Self::CloseMixer(_) => None,
        }
    }
}

/// Keys to be sent.
pub(crate) struct ToneJob {
    pub(crate) job: JobId,
    pub(crate) tones: Vec<Tone>,
    pub(crate) gap_ms: u32,
}

/// What the file thread frees, after finishing what is left to finish.
pub(crate) enum Disposal {
    Leg(Box<Leg>),
    Departure(Box<Departure>),
    Arrival(Box<Arrival>),
    Media(Box<Media>),
    Play(Box<PlayJob>),
    Tape(Box<Tape>),
    Stream(Box<Stream>),
    Tones(Box<ToneJob>),
    Mixer(Box<Mixer>),
    Seat(Box<Seat>),
    Audience(Box<Audience>),
    Converters(Box<Converters>),
    Sample(Box<LegSample>),
}

/// The way to the file thread. What finds the ring full waits here.
pub(crate) struct Disposer {
    ring: Producer<Disposal>,
    file_thread: Thread,
    waiting: VecDeque<Disposal>,
    has_news: bool,
}

impl Disposer {
    pub(crate) fn new(ring: Producer<Disposal>, file_thread: Thread, capacity: usize) -> Self {
        Self { ring, file_thread, waiting: VecDeque::with_capacity(capacity), has_news: false }
    }

    pub(crate) fn dispose(&mut self, disposal: Disposal) {
        self.has_news = true;
        if !self.waiting.is_empty() {
            self.waiting.push_back(disposal);
        } else if let Err(PushError::Full(disposal)) = self.ring.push(disposal) {
            self.waiting.push_back(disposal);
        }
    }

    pub(crate) fn flush(&mut self) {
        while let Some(disposal) = self.waiting.pop_front() {
            if let Err(PushError::Full(disposal)) = self.ring.push(disposal) {
                self.waiting.push_front(disposal);
                break;
            }
        }
        if self.has_news {
            self.has_news = !self.waiting.is_empty();
            self.file_thread.unpark();
        }
    }
}
