//! The sound of an application that hosts its own media: out of a hosted leg and into it, frame by frame.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use media_engine::{ComfortNoise, Frame};
use nix::sys::eventfd::EventFd;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::bell::Bell;
use crate::command::Command;
use crate::conference::HOSTED_RATE;
use crate::stats::add;
use crate::{LegId, MediaPlane, PlaneError};

/// Samples of a frame of a stream: 20 ms at 16 kHz.
pub const STREAM_FRAME_SAMPLES: usize = HOSTED_RATE.frame_samples();

/// Frames that may wait to be said: as much as a busy process may be late with its next, and what a pause lets through.
const SAID_FRAMES: usize = 5;

/// Rounds whose frames may wait to be taken: what a process may stand still for before sound is lost.
const HEARD_ROUNDS: usize = 50;

/// The most members of which a stream passes on what each says, and as many as it does unless told otherwise. Each costs
/// its stream 33 KB.
const MAX_SOURCES: usize = 64;
const DEFAULT_SOURCES: usize = 16;

/// What a stream hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// All others together, in every round.
    pub has_mix: bool,
    /// Each other member by itself, in rounds in which sound comes from it.
    pub has_unmixed: bool,
    /// Members that may be passed on by themselves in one round, 1 to 64.
    pub max_sources: usize,
}

impl Default for StreamConfig {
    /// The mix alone.
    fn default() -> Self {
        Self { has_mix: true, has_unmixed: false, max_sources: DEFAULT_SOURCES }
    }
}

/// 20 ms of what a stream hears.
#[derive(Clone, Copy, Debug)]
pub struct HeardFrame {
    /// The round in which it was heard: counts those since the stream was opened in which its leg was in a mixer. All
    /// frames of a round bear the same, those of single members before the mix; it goes on where the leg moves.
    pub number: u64,
    /// The member that says it; `None` for the mix of all others.
    pub source: Option<LegId>,
    /// The sound at 16 kHz.
    pub samples: [i16; STREAM_FRAME_SAMPLES],
    /// Whether it is digital silence: nobody says anything.
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
    /// Frames of members beyond those that are passed on.
    left_out: AtomicU64,
}

/// The application's end of a stream; readable once in every round in which its leg is in a mixer, whether or not a frame
/// came, and when the leg is closed. [`Self::room`], [`Self::gone`] and [`Self::played`] move in such rounds alone, before
/// it becomes readable. Dropping it ends the stream.
#[derive(Debug)]
pub struct StreamPort {
    heard: Consumer<HeardFrame>,
    said: Producer<[i16; STREAM_FRAME_SAMPLES]>,
    counts: Arc<Counts>,
    signal: Arc<EventFd>,
    comfort: StreamComfort,
    pushed: u64,
}

/// Says whether the others hear faint noise, about -65 dBFS, while nothing waits to be said: for times in which the
/// application is away, so that the line does not seem dead. Off at first. Clones speak of the same stream, and may outlive
/// it.
#[derive(Clone, Debug, Default)]
pub struct StreamComfort {
    is_on: Arc<AtomicBool>,
}

impl StreamComfort {
    /// Turns the noise on or off, from the next round on.
    pub fn set(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }
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

    /// How many frames may be said at once, 5 at most.
    pub fn room(&self) -> usize {
        self.said.slots()
    }

    /// Says 20 ms, after what waits to be said already; false where there is no room.
    pub fn say(&mut self, samples: [i16; STREAM_FRAME_SAMPLES]) -> bool {
        let is_taken = self.said.push(samples).is_ok();
        self.pushed += u64::from(is_taken);
        is_taken
    }

    /// Takes back what waits to be said. It is dropped, and makes room, in the next round.
    pub fn flush(&mut self) {
        self.counts.flushed.store(self.pushed, Ordering::Release);
    }

    /// How many of the frames ever said are gone, in their order: heard by the others, or dropped after [`Self::flush`].
    /// Never less than before.
    pub fn gone(&self) -> u64 {
        let waiting = SAID_FRAMES - self.said.slots();
        self.pushed - waiting as u64
    }

    /// The switch of the noise that is heard while nothing waits to be said.
    pub fn comfort(&self) -> StreamComfort {
        self.comfort.clone()
    }

    /// Frames that were heard by the others so far, comfort noise not among them.
    pub fn played(&self) -> u64 {
        self.counts.played.load(Ordering::Acquire)
    }

    /// Frames that were lost because they were not taken in time: while a second waits, what is newer is not kept, and of
    /// what finds the last room the mix is.
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Frames of single members that were left out because more of them sounded at once than
    /// [`StreamConfig::max_sources`]; those who speak come before those from whom other sound comes.
    pub fn left_out(&self) -> u64 {
        self.counts.left_out.load(Ordering::Relaxed)
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
    bell: Bell,
    config: StreamConfig,
    number: u64,
    taken: u64,
    sources: Sources,
    comfort: StreamComfort,
    noise: ComfortNoise,
}

/// What a hosted leg says in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Faint noise, which nobody says.
    Comfort,
    Nothing,
    Sound,
}

/// Members that a stream has passed on by themselves in this round.
#[derive(Debug, Default)]
struct Sources {
    speaking: usize,
    others: usize,
    /// Those who spoke in the round before, for whom places are kept.
    spoke: usize,
}

impl Sources {
    /// Gives one of so many places, unless all are taken, or kept for those who speak.
    fn admit(&mut self, is_speaking: bool, max: usize) -> bool {
        let kept = if is_speaking { 0 } else { self.spoke.saturating_sub(self.speaking) };
        let has_place = self.speaking + self.others + kept < max;
        match is_speaking {
            true => self.speaking += 1,
            false => self.others += usize::from(has_place),
        }
        has_place
    }

    fn end_round(&mut self) {
        *self = Self { spoke: self.speaking, ..Self::default() };
    }
}

impl Stream {
    /// `seed` tells its noise from that of others.
    pub(crate) fn new(config: StreamConfig, seed: u32) -> Result<(Self, StreamPort), PlaneError> {
        let (bell, signal) = Bell::new()?;
        let sources = if config.has_unmixed { config.max_sources } else { 0 };
        let (heard, heard_out) = RingBuffer::new(HEARD_ROUNDS * (usize::from(config.has_mix) + sources));
        let (said, said_out) = RingBuffer::new(SAID_FRAMES);
        let counts = Arc::<Counts>::default();
        let stream = Self {
            heard,
            said: said_out,
            counts: Arc::clone(&counts),
            bell,
            config,
            number: 0,
            taken: 0,
            sources: Sources::default(),
            comfort: StreamComfort::default(),
            noise: ComfortNoise::new(seed),
        };
        let comfort = stream.comfort.clone();
        Ok((stream, StreamPort { heard: heard_out, said, counts, signal, comfort, pushed: 0 }))
    }

    pub(crate) fn has_mix(&self) -> bool {
        self.config.has_mix
    }

    pub(crate) fn has_unmixed(&self) -> bool {
        self.config.has_unmixed
    }

    /// Whether the application has dropped its end.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.heard.is_abandoned()
    }

    /// Passes on what one member says, which is at the rate of hosted legs.
    pub(crate) fn hear_source(&mut self, source: LegId, frame: &Frame, is_speaking: bool) {
        if !self.sources.admit(is_speaking, self.config.max_sources) {
            add(&self.counts.left_out, 1);
        } else if self.heard.slots() > usize::from(self.config.has_mix) {
            self.pass_on(Some(source), frame);
        } else {
            add(&self.counts.lost, 1);
        }
    }

    /// Ends a round, in which all others together say what lies in the frame, at the rate of hosted legs.
    pub(crate) fn end_round(&mut self, mix: &Frame) {
        if self.config.has_mix {
            self.pass_on(None, mix);
        }
        self.number += 1;
        self.sources.end_round();
        self.bell.ring();
    }

    fn pass_on(&mut self, source: Option<LegId>, frame: &Frame) {
        let Ok(samples) = <[i16; STREAM_FRAME_SAMPLES]>::try_from(frame.samples()) else { return };
        let is_silent = samples.iter().all(|x| *x == 0);
        if self.heard.push(HeardFrame { number: self.number, source, samples, is_silent }).is_err() {
            add(&self.counts.lost, 1);
        }
    }

    /// Writes the next 20 ms to be said, or noise in their place, over a frame of silence.
    pub(crate) fn fill(&mut self, frame: &mut Frame) -> Spoken {
        self.drop_flushed();
        let Ok(samples) = self.said.pop() else {
            if !self.comfort.is_on.load(Ordering::Relaxed) {
                return Spoken::Nothing;
            }
            self.noise.fill(frame);
            return Spoken::Comfort;
        };
        self.taken += 1;
        frame.samples_mut().copy_from_slice(&samples);
        self.counts.played.fetch_add(1, Ordering::Release);
        Spoken::Sound
    }

    /// Drops what the application has taken back.
    pub(crate) fn drop_flushed(&mut self) {
        let flushed = self.counts.flushed.load(Ordering::Acquire);
        while self.taken < flushed && self.said.pop().is_ok() {
            self.taken += 1;
        }
    }
}

impl MediaPlane {
    /// Lets an application say and hear through a virtual leg, frame by frame, until the port is dropped or the leg
    /// closed. A stream that the leg had before ends.
    ///
    /// While the leg is in a mixer, whether or not anybody else is, it hears in every round what the config asks for. What
    /// it hears of single members has nothing to do with who is among the few that are mixed: it is everybody from whom
    /// sound comes, phones, prompts and other streams, except who is muted or whose route does not lead here. They all
    /// have to be decoded then. A stream goes on where its leg moves from one mixer to another, or is brought
    /// to another thread.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoLeg`] where it is closed or not a virtual one, [`PlaneError::Setting`] for a config that
    /// hears nothing or too many, [`PlaneError::Busy`] or [`PlaneError::System`].
    pub fn open_stream(&self, leg: LegId, config: StreamConfig) -> Result<StreamPort, PlaneError> {
        if !(config.has_mix || config.has_unmixed) {
            return Err(PlaneError::Setting("a stream must hear the mix, single members, or both"));
        }
        if !(1..=MAX_SOURCES).contains(&config.max_sources) {
            return Err(PlaneError::Setting("sources of a stream must be 1 to 64"));
        }
        if !self.registry().is_hosted(leg)? {
            return Err(PlaneError::NoLeg);
        }
        let (stream, port) = Stream::new(config, leg.index() as u32)?;
        self.push(leg.thread(), Command::Stream(leg, Box::new(stream)))?;
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_engine::level_dbfs;

    const ALL: StreamConfig = StreamConfig { has_mix: true, has_unmixed: true, max_sources: 3 };

    fn frame(sample: i16) -> Frame {
        let mut frame = Frame::silence(HOSTED_RATE);
        frame.samples_mut().fill(sample);
        frame
    }

    #[test]
    fn frames_of_a_round_bear_its_number_and_their_source() {
        let (mut stream, mut port) = Stream::new(ALL, 1).unwrap();
        for round in 0..2 {
            stream.hear_source(LegId(7), &frame(1), true);
            stream.hear_source(LegId(8), &frame(round), true);
            stream.end_round(&frame(2));
        }
        let heard: Vec<_> = std::iter::from_fn(|| port.next_heard())
            .map(|heard| (heard.number, heard.source.map(LegId::as_u64), heard.samples[0], heard.is_silent))
            .collect();
        let expected = |number, second| {
            [(number, Some(7), 1, false), (number, Some(8), second, second == 0), (number, None, 2, false)]
        };
        assert_eq!(heard, [expected(0, 0), expected(1, 1)].concat());
    }

    #[test]
    fn those_who_speak_come_before_those_who_only_sound() {
        let (mut stream, mut port) = Stream::new(ALL, 1).unwrap();
        let mut round = |stream: &mut Stream, members: &[(u64, bool)]| {
            for (member, is_speaking) in members {
                stream.hear_source(LegId(*member), &frame(1), *is_speaking);
            }
            stream.end_round(&frame(0));
            std::iter::from_fn(|| port.next_heard())
                .filter_map(|heard| heard.source)
                .map(LegId::as_u64)
                .collect()
        };
        let noise = [(1, false), (2, false), (3, false), (4, false)];
        let heard: Vec<u64> = round(&mut stream, &noise);
        assert_eq!(heard, [1, 2, 3]);
        let talk = [(1, false), (2, false), (3, false), (4, false), (5, true), (6, true)];
        // It is not known yet that somebody is going to speak; in the round after it is.
        round(&mut stream, &talk);
        assert_eq!(round(&mut stream, &talk), [1, 5, 6]);
        assert_eq!(port.left_out(), 1 + 3 + 3);
    }

    #[test]
    fn the_mix_finds_the_last_room() {
        let config = StreamConfig { max_sources: 1, ..ALL };
        let (mut stream, mut port) = Stream::new(config, 1).unwrap();
        // More single frames than rounds of them fit.
        for _ in 0..HEARD_ROUNDS + 1 {
            stream.hear_source(LegId(7), &frame(1), true);
            stream.end_round(&frame(2));
        }
        assert_eq!(port.lost(), 2);
        port.next_heard().unwrap();
        stream.hear_source(LegId(7), &frame(1), true);
        stream.end_round(&frame(3));
        assert_eq!(port.lost(), 3);
        let last = std::iter::from_fn(|| port.next_heard()).last().unwrap();
        assert_eq!((last.source, last.samples[0]), (None, 3));
    }

    #[test]
    fn frames_are_gone_in_order_once_they_are_heard_or_taken_back() {
        let (mut stream, mut port) = Stream::new(ALL, 1).unwrap();
        let mut said = frame(0);
        assert_eq!((port.gone(), port.room()), (0, SAID_FRAMES));
        while port.say([1; STREAM_FRAME_SAMPLES]) {}
        assert_eq!((port.gone(), port.room()), (0, 0));
        stream.fill(&mut said);
        assert_eq!((port.gone(), port.room(), port.played()), (1, 1, 1));

        port.flush();
        assert_eq!((port.gone(), port.room()), (1, 1), "they go in the next round");
        assert!(port.say([2; STREAM_FRAME_SAMPLES]));
        stream.drop_flushed();
        assert_eq!((port.gone(), port.room(), port.played()), (SAID_FRAMES as u64, SAID_FRAMES - 1, 1));
        assert_eq!(stream.fill(&mut said), Spoken::Sound);
        assert_eq!((said.samples()[0], port.gone(), port.played()), (2, SAID_FRAMES as u64 + 1, 2));

        drop(stream);
        assert!(port.say([3; STREAM_FRAME_SAMPLES]));
        assert_eq!(port.gone(), SAID_FRAMES as u64 + 1, "nobody hears it, and nobody took it back");
    }

    #[test]
    fn noise_is_heard_only_while_it_is_wanted_and_nothing_is_said() {
        let (mut stream, mut port) = Stream::new(ALL, 1).unwrap();
        let comfort = port.comfort();
        let fill = |stream: &mut Stream| {
            let mut frame = frame(0);
            let spoken = stream.fill(&mut frame);
            (spoken, level_dbfs(frame.samples()))
        };
        assert_eq!(fill(&mut stream).0, Spoken::Nothing);
        comfort.set(true);
        for _ in 0..20 {
            let (spoken, level) = fill(&mut stream);
            assert_eq!(spoken, Spoken::Comfort);
            assert!((level + 65.0).abs() < 1.5, "{level}");
        }
        assert!(port.say([1_000; STREAM_FRAME_SAMPLES]));
        assert_eq!(fill(&mut stream), (Spoken::Sound, level_dbfs(&[1_000; 320])));
        assert_eq!(fill(&mut stream).0, Spoken::Comfort);
        assert_eq!(port.played(), 1);
        port.comfort().set(false);
        assert_eq!(fill(&mut stream).0, Spoken::Nothing);
    }

    #[test]
    fn the_end_of_a_stream_is_signalled() {
        let (stream, port) = Stream::new(ALL, 1).unwrap();
        assert!(!port.is_closed() && port.signal.read().is_err());
        drop(stream);
        assert!(port.is_closed() && port.signal.read().is_ok());
    }
}
