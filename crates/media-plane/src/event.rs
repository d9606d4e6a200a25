//! What the plane tells its owner.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use media_engine::{Codec, ReceiverStats, RecordOutcome, Tone};
use nix::sys::eventfd::EventFd;
use rtrb::{Consumer, Producer, PushError};

use crate::stats::{ThreadStats, add};
use crate::{JobId, LegId, MixerId};

/// Something that happened to a leg or a mixer.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// The leg is gone and its sockets are closed; the last event of a leg. Without a close before it, the leg ended
    /// by a defect of ours; one that was being brought to another thread may then be told of by both names.
    Closed {
        /// Which leg.
        leg: LegId,
        /// Its counters, under all names that it has had.
        stats: Box<LegStats>,
    },
    /// Another member of a mixer is the dominant speaker, or none is any more.
    Dominant {
        /// Which mixer.
        mixer: MixerId,
        /// Who speaks; nobody after two seconds without voice, or when that leg left or was muted.
        leg: Option<LegId>,
    },
    /// The first valid RTP packet came.
    Flowing {
        /// Which leg.
        leg: LegId,
    },
    /// A job has ended, exactly once for every job that was taken.
    JobDone {
        /// Which leg.
        leg: LegId,
        /// Which job.
        job: JobId,
        /// How it ended.
        outcome: JobOutcome,
    },
    /// Nothing has come for `Config::lost_after` although the far end should send, or for three times as long, not
    /// even RTCP, where it only listens. Reported once until packets come again; never of piped legs.
    Lost {
        /// Which leg.
        leg: LegId,
    },
    /// The leg goes on under another name ([`crate::MediaPlane::bring`]); the last event of the old one, whose jobs have
    /// all ended. Events of the new name may come before it.
    Moved {
        /// The old name.
        leg: LegId,
        /// The new one.
        to: LegId,
    },
    /// How a leg is, as was asked ([`crate::MediaPlane::sample`]).
    Sampled {
        /// Which leg.
        leg: LegId,
        /// How it is.
        sample: Box<LegSample>,
    },
    /// The far end pressed a key.
    Tone {
        /// Which leg.
        leg: LegId,
        /// Which key.
        tone: Tone,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum JobOutcome {
    /// It was stopped, replaced by another of its kind, or its leg was closed or brought to another thread.
    Cancelled,
    /// It was played or sent to its end.
    Completed,
    /// It could not be done.
    Failed(&'static str),
    /// The recording is a whole WAV file on disk.
    Recorded(Recording),
}

/// A finished recording: mono, 16 bit, 16 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Samples in it.
    pub samples: u32,
    /// Their length.
    pub duration: Duration,
    /// Samples that were lost because the disk was too slow.
    pub lost_samples: u32,
    /// Why it ended.
    pub end: RecordingEnd,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingEnd {
    /// The leg was closed.
    LegClosed,
    /// The recorder's own decision, or a stop by the caller.
    Recorder(RecordOutcome),
}

/// Counters of a leg over its whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegStats {
    /// Packets sent.
    pub sent_packets: u64,
    /// Octets of payload sent.
    pub sent_octets: u64,
    /// Valid packets received.
    pub received_packets: u64,
    /// Octets of payload received.
    pub received_octets: u64,
    /// The receiver's counters of the last source.
    pub receiver: ReceiverStats,
    /// Datagrams dropped because they are not RTP, or of a payload type that was not agreed on.
    pub garbage: u64,
    /// Datagrams dropped because another address or source sent them.
    pub foreign: u64,
    /// Packets dropped because SRTP refused them.
    pub unauthenticated: u64,
    /// The longest that a packet left after its due time, in microseconds.
    pub worst_lateness_us: u32,
    /// Share of our packets that the far end has lost lately, in 256ths, from its last report.
    pub remote_fraction_lost: u8,
    /// The far end's last measure of our jitter, in units of the RTP clock.
    pub remote_jitter: u32,
    /// Round trip by the last report, in microseconds, where one could be computed.
    pub round_trip_us: Option<u32>,
}

/// How a leg is at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LegSample {
    /// Its counters so far, the receiver's included.
    pub stats: LegStats,
    /// What it hears by.
    pub codec: Option<Codec>,
    /// The loudest 20 ms that were heard since the sample before, in dB relative to full scale; -100 where nothing was.
    /// `None` in the first sample and after a pause: nobody measures where nobody asks.
    pub level_db: Option<f32>,
}

/// The receiving end of all events; readable when there may be some.
///
/// Wrap it in an `AsyncFd`: when readable, call [`MediaEvents::next`] until it returns nothing, then clear
/// readiness.
#[derive(Debug)]
pub struct MediaEvents {
    signal: Arc<EventFd>,
    threads: Vec<Consumer<MediaEvent>>,
    files: Consumer<MediaEvent>,
    stash: Option<MediaEvent>,
}

impl MediaEvents {
    pub(crate) fn new(
        signal: Arc<EventFd>,
        threads: Vec<Consumer<MediaEvent>>,
        files: Consumer<MediaEvent>,
    ) -> Self {
        Self { signal, threads, files, stash: None }
    }

    /// Takes the next event; `None` when there is none for the moment. Events of one leg are in order.
    #[expect(
        clippy::should_implement_trait,
        reason = "none now does not mean none later, as an iterator's end does"
    )]
    pub fn next(&mut self) -> Option<MediaEvent> {
        if let Some(event) = self.pop() {
            return Some(event);
        }
        // Reset first and look again: what is pushed afterwards signals anew.
        let _ = self.signal.read();
        self.pop()
    }

    /// The file thread speaks of a leg after its media thread has: whatever that one said comes first.
    fn pop(&mut self) -> Option<MediaEvent> {
        loop {
            if let Some(event) = self.threads.iter_mut().find_map(|events| events.pop().ok()) {
                return Some(event);
            }
            if let Some(event) = self.stash.take() {
                return Some(event);
            }
            self.stash = Some(self.files.pop().ok()?);
        }
    }
}

impl AsFd for MediaEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

impl AsRawFd for MediaEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.as_fd().as_raw_fd()
    }
}

/// The sending end of one thread. What finds the ring full waits here, in order; only tones are bounded by
/// dropping.
pub(crate) struct EventSender {
    ring: Producer<MediaEvent>,
    signal: Arc<EventFd>,
    waiting: VecDeque<MediaEvent>,
    max_waiting_tones: usize,
    has_news: bool,
}

impl EventSender {
    /// Room for `capacity` waiting events is made at once, so that a stalled owner does not cost the clock
    /// anything.
    pub(crate) fn new(ring: Producer<MediaEvent>, signal: Arc<EventFd>, capacity: usize) -> Self {
        let waiting = VecDeque::with_capacity(capacity);
        Self { ring, signal, waiting, max_waiting_tones: capacity / 2, has_news: false }
    }

    pub(crate) fn send(&mut self, event: MediaEvent, stats: &ThreadStats) {
        if self.ring.is_abandoned() {
            return;
        }
        self.has_news = true;
        if !self.waiting.is_empty() {
            self.wait(event, stats);
        } else if let Err(PushError::Full(event)) = self.ring.push(event) {
            self.wait(event, stats);
        }
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Moves what waits into the ring and wakes the owner if there is anything new.
    pub(crate) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(PushError::Full(event)) = self.ring.push(event) {
                self.waiting.push_front(event);
                break;
            }
            self.has_news = true;
        }
        if self.has_news {
            self.has_news = false;
            let _ = self.signal.write(1);
        }
    }

    fn wait(&mut self, event: MediaEvent, stats: &ThreadStats) {
        if matches!(event, MediaEvent::Tone { .. }) && self.waiting.len() >= self.max_waiting_tones {
            add(&stats.dropped_tones, 1);
            return;
        }
        self.waiting.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::EfdFlags;
    use rtrb::RingBuffer;

    const LEG: LegId = LegId(7);

    fn pair(ring: usize, waiting: usize) -> (EventSender, EventSender, MediaEvents) {
        let signal = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let (media, media_out) = RingBuffer::new(ring);
        let (files, files_out) = RingBuffer::new(ring);
        let sender = |ring| EventSender::new(ring, Arc::clone(&signal), waiting);
        (sender(media), sender(files), MediaEvents::new(Arc::clone(&signal), vec![media_out], files_out))
    }

    fn tone(tone: Tone) -> MediaEvent {
        MediaEvent::Tone { leg: LEG, tone }
    }

    #[test]
    fn a_full_ring_delays_events_but_loses_none_and_keeps_their_order() {
        let (mut media, _files, mut events) = pair(1, 8);
        let sent = [tone(Tone::Tone1), tone(Tone::Tone2), MediaEvent::Flowing { leg: LEG }];
        for event in &sent {
            media.send(event.clone(), &ThreadStats::default());
        }

        let mut got = Vec::new();
        for _ in 0..3 {
            media.flush();
            got.extend(events.next());
        }

        assert_eq!(got, sent);
    }

    #[test]
    fn only_tones_are_dropped_when_nobody_listens() {
        let (mut media, _files, mut events) = pair(1, 4);
        let stats = ThreadStats::default();
        for _ in 0..10 {
            media.send(tone(Tone::Pound), &stats);
        }
        media.send(MediaEvent::Lost { leg: LEG }, &stats);

        let mut got = Vec::new();
        for _ in 0..10 {
            media.flush();
            got.extend(events.next());
        }

        assert_eq!(got.len(), 4);
        assert_eq!(got.last(), Some(&MediaEvent::Lost { leg: LEG }));
        assert_eq!(stats.dropped_tones.load(std::sync::atomic::Ordering::Relaxed), 7);
    }

    #[test]
    fn the_file_threads_word_comes_after_the_media_threads() {
        let (mut media, mut files, mut events) = pair(4, 4);
        let stats = ThreadStats::default();
        files.send(MediaEvent::Lost { leg: LEG }, &stats);
        media.send(tone(Tone::Tone1), &stats);

        assert_eq!(events.next(), Some(tone(Tone::Tone1)));
        assert_eq!(events.next(), Some(MediaEvent::Lost { leg: LEG }));
        assert_eq!(events.next(), None);
    }
}
