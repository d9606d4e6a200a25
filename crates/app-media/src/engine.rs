//! One application's audio, without a socket and without a clock.

use std::time::Duration;

use media_engine::{Frame, SampleRate};
use model::{ParticipantId, Tone};

use crate::capture::{Capture, person};
use crate::convert::Converter;
use crate::decode::{Decoder, Incoming};
use crate::encode::{Encoder, Greeting, Outgoing, Person};
use crate::format::Format;
use crate::outbox::Outbox;
use crate::playout::Playout;
use crate::port::{Heard, Source};
use crate::throttle::Throttle;
use crate::violation::Violation;

/// Control messages that are kept while there is no socket: keys and marks of the time between.
const KEPT_CONTROLS: usize = 64;

/// Limits of one application's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Audio that may wait to be heard, by default two minutes: a long answer that was made at once.
    pub queued: Duration,
    /// How long the application may not read what is written to it, by default 10 s.
    pub unread: Duration,
    /// How often it is pinged, by default every 15 s; proxies often close sockets after a minute of silence.
    pub ping_every: Duration,
    /// How long nothing may come from it, by default 40 s: two answers to pings got lost.
    pub silent: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queued: Duration::from_mins(2),
            unread: Duration::from_secs(10),
            ping_every: Duration::from_secs(15),
            silent: Duration::from_secs(40),
        }
    }
}

/// What the node tells an application on its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody else speaks most, or nobody.
    DominantSpeaker(Option<ParticipantId>),
    /// Who can be heard, all of them.
    Roster(Vec<Person>),
    /// A key was heard.
    Tone {
        /// Which key.
        tone: Tone,
        /// Whose, where that is known.
        participant: Option<ParticipantId>,
    },
}

/// What a message makes necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reaction {
    /// Frames that were handed out and not heard are to be dropped.
    Flush,
    /// Nothing.
    None,
}

/// What went over the sockets of one application, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames written as messages.
    pub frames_sent: u64,
    /// Frames lost because the application did not read.
    pub frames_lost: u64,
    /// Messages that came.
    pub messages_received: u64,
    /// Frames handed out to be heard.
    pub frames_said: u64,
}

/// One application's audio: what it says, what it hears, and the messages that carry both.
///
/// It outlives sockets. [`Self::attach`] begins with a socket; then messages go in with [`Self::handle_text`] and
/// [`Self::handle_binary`] and come out of [`Self::poll_transmit`]; a violation or a lost socket ends with
/// [`Self::detach`]. What is heard goes in with [`Self::handle_heard`], what is to be said comes out of
/// [`Self::poll_frame`], and [`Self::handle_gone`] says how much of that has been heard. Times count from any fixed
/// moment.
#[derive(Debug)]
pub struct Engine {
    format: Format,
    limits: Limits,
    subscription: String,
    roster: Vec<Person>,
    dominant: Option<ParticipantId>,
    decoder: Decoder,
    encoder: Encoder,
    capture: Capture,
    playout: Playout,
    outbox: Outbox,
    throttle: Throttle,
    is_attached: bool,
    last_received: Duration,
    next_ping: Duration,
    voice: Voice,
    counts: Counts,
}

/// From the socket's rate to a frame of the media thread.
#[derive(Debug)]
struct Voice {
    converter: Option<Converter>,
    samples: Vec<i16>,
    frame: Frame,
}

impl Engine {
    /// Nothing heard, nothing said, no socket. The subscription's id is what [the first message](crate#messages) tells,
    /// usually the call's.
    pub fn new(format: Format, limits: Limits, subscription: impl Into<String>) -> Self {
        Self {
            format,
            limits,
            subscription: subscription.into(),
            roster: Vec::new(),
            dominant: None,
            decoder: Decoder::new(format),
            encoder: Encoder::new(format),
            capture: Capture::new(format.rate),
            playout: Playout::new(format.rate, limits.queued),
            outbox: Outbox::default(),
            throttle: Throttle::default(),
            is_attached: false,
            last_received: Duration::ZERO,
            next_ping: Duration::ZERO,
            voice: Voice {
                converter: None,
                samples: vec![0; format.rate.frame_samples()],
                frame: Frame::silence(SampleRate::Hz16000),
            },
            counts: Counts::default(),
        }
    }

    /// Begins with a socket: its first message is the audio metadata, with an address for the next socket, where the
    /// application should dial another one after this.
    pub fn attach(&mut self, resume_url: Option<&str>, now: Duration) {
        self.is_attached = true;
        self.throttle = Throttle::default();
        self.last_received = now;
        self.next_ping = now + self.limits.ping_every;
        let greeting = self.encoder.greeting(&Greeting {
            subscription: &self.subscription,
            max_queued: self.limits.queued,
            roster: &self.roster,
            dominant: self.dominant.map(|id| person(id, &self.roster)),
            resume_url,
        });
        self.outbox.push_first(greeting, now);
    }

    /// The socket is gone. What waits to be said stays, but is not handed out; or it is dropped.
    pub fn detach(&mut self, keeps_queue: bool, now: Duration) -> Reaction {
        self.is_attached = false;
        self.playout.set_paused(false, now);
        let reaction = if keeps_queue { Reaction::None } else { self.clear(now) };
        self.outbox.detach(KEPT_CONTROLS);
        reaction
    }

    /// Takes in a text message.
    ///
    /// # Errors
    ///
    /// [`Violation`], with which the socket is to be closed.
    pub fn handle_text(&mut self, text: &str, now: Duration) -> Result<Reaction, Violation> {
        self.handle_message(text.len(), now)?;
        match self.decoder.text(text)? {
            Incoming::Audio(samples, mark) => {
                self.playout.handle_audio(samples, now)?;
                if let Some(mark) = mark {
                    self.playout.handle_mark(mark)?;
                    self.report(now);
                }
            }
            Incoming::Clear => {
                let reaction = self.clear(now);
                return Ok(reaction);
            }
            Incoming::Mark(name) => {
                self.playout.handle_mark(name)?;
                self.report(now);
            }
            Incoming::Nothing => {}
            Incoming::Pause => self.playout.set_paused(true, now),
            Incoming::Resume => self.playout.set_paused(false, now),
        }
        Ok(Reaction::None)
    }

    /// Takes in a binary message.
    ///
    /// # Errors
    ///
    /// [`Violation`], with which the socket is to be closed.
    pub fn handle_binary(&mut self, octets: &[u8], now: Duration) -> Result<Reaction, Violation> {
        self.handle_message(octets.len(), now)?;
        if let Incoming::Audio(samples, _) = self.decoder.binary(octets)? {
            self.playout.handle_audio(samples, now)?;
        }
        Ok(Reaction::None)
    }

    /// Takes note of a ping or a pong; text and binary messages count by themselves.
    ///
    /// # Errors
    ///
    /// [`Violation::TooManyMessages`].
    pub fn handle_message(&mut self, octets: usize, now: Duration) -> Result<(), Violation> {
        self.last_received = now;
        self.counts.messages_received += 1;
        if self.throttle.pass(octets, now) { Ok(()) } else { Err(Violation::TooManyMessages) }
    }

    /// Takes in a frame that was heard; dropped where there is no socket or it was not asked for.
    pub fn handle_heard(&mut self, heard: &Heard<'_>, now: Duration) {
        let is_wanted = match heard.source {
            Source::Mixed => self.format.channels.has_mix(),
            Source::Participant(_) => self.format.channels.has_participants(),
        };
        if self.is_attached && is_wanted {
            let message = self.capture.message(heard, &self.roster, &mut self.encoder);
            self.outbox.push_audio(message, now);
            self.counts.frames_sent += 1;
        }
    }

    /// Takes in what the node tells.
    pub fn handle_event(&mut self, event: Event, now: Duration) {
        let message = match event {
            Event::DominantSpeaker(speaker) => {
                self.dominant = speaker;
                let speaker = speaker.map(|id| person(id, &self.roster));
                self.encoder.dominant(speaker).filter(|_| self.is_attached)
            }
            Event::Roster(roster) => {
                self.roster = roster;
                self.encoder.roster(&self.roster).filter(|_| self.is_attached)
            }
            Event::Tone { tone, participant } => Some(self.encoder.tone(tone, participant)),
        };
        if let Some(message) = message {
            self.push_control(message, now);
        }
    }

    /// Takes note of how many frames are gone, of all that were ever handed out.
    pub fn handle_gone(&mut self, frames: u64, now: Duration) {
        self.playout.handle_gone(frames, now);
        self.report(now);
    }

    /// Does what is due.
    ///
    /// # Errors
    ///
    /// [`Violation`] where the application does not read or does not answer; the socket is to be closed with it.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), Violation> {
        if !self.is_attached {
            return Ok(());
        }
        let is_unread = self.outbox.waiting_since().is_some_and(|since| now >= since + self.limits.unread);
        if is_unread || self.outbox.is_overfull() {
            return Err(Violation::NotReading);
        }
        if now >= self.last_received + self.limits.silent {
            return Err(Violation::Silent);
        }
        if now >= self.next_ping {
            self.next_ping = now + self.limits.ping_every;
            self.push_control(Outgoing::Ping, now);
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] and [`Self::poll_frame`] have something to do, if nothing happens before.
    pub fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        if !self.is_attached {
            return None;
        }
        let overfull = self.outbox.is_overfull().then_some(now);
        let unread = self.outbox.waiting_since().map(|since| since + self.limits.unread);
        let silent = self.last_received + self.limits.silent;
        [Some(silent), Some(self.next_ping), overfull, unread, self.playout.poll_timeout(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Hands out the next frame to be said, at the given rate.
    pub fn poll_frame(&mut self, rate: SampleRate, now: Duration) -> Option<&Frame> {
        let begins = self.playout.is_dry(now);
        if !self.is_attached || !self.playout.poll_frame(&mut self.voice.samples, now) {
            return None;
        }
        self.report(now);
        self.counts.frames_said += 1;
        let (from_hz, to_hz) = (self.format.rate.hz(), rate.hz());
        let voice = &mut self.voice;
        let converter = voice.converter.take().filter(|converter| converter.is_between(from_hz, to_hz));
        let mut converter = converter.unwrap_or_else(|| Converter::new(from_hz, to_hz));
        if begins {
            converter.reset();
        }
        voice.frame.reset(rate);
        converter.convert(&voice.samples, voice.frame.samples_mut());
        voice.converter = Some(converter);
        Some(&self.voice.frame)
    }

    /// Hands out the next message to be written; to be asked only when it can be.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Outgoing> {
        if self.is_attached { self.outbox.pop(now) } else { None }
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        Counts { frames_lost: self.outbox.lost(), ..self.counts }
    }

    fn clear(&mut self, now: Duration) -> Reaction {
        let dropped = self.playout.handle_clear(now);
        self.report(now);
        if let Some(message) = self.encoder.cleared(dropped, self.playout.heard()) {
            self.push_control(message, now);
        }
        Reaction::Flush
    }

    fn report(&mut self, now: Duration) {
        while let Some(report) = self.playout.poll_report() {
            let message = self.encoder.mark(&report, self.playout.heard());
            self.push_control(message, now);
        }
    }

    fn push_control(&mut self, message: Outgoing, now: Duration) {
        self.outbox.push_control(message, now);
        if !self.is_attached {
            self.outbox.detach(KEPT_CONTROLS);
        }
    }
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::{amplitude_at, sine};
    use proptest::prelude::*;

    use super::*;
    use crate::format::{Channels, Dialect, Rate};
    use crate::outbox::MAX_CONTROLS;

    const TICK: Duration = Duration::from_millis(20);

    fn engine(dialect: Dialect, rate: Rate) -> Engine {
        Engine::new(Format { dialect, rate, channels: Channels::Mixed }, Limits::default(), "the call")
    }

    fn octets(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn without_a_socket_nothing_is_said_and_nothing_is_kept_of_what_is_heard() {
        let mut engine = engine(Dialect::Hookswitch, Rate::Hz16000);
        engine.attach(None, TICK);
        assert_eq!(engine.handle_binary(&octets(&[1; 640]), TICK), Ok(Reaction::None));
        assert_eq!(engine.detach(true, TICK), Reaction::None);
        assert!(engine.poll_frame(SampleRate::Hz16000, TICK).is_none());
        let frame = Frame::silence(SampleRate::Hz16000);
        let heard = Heard { source: Source::Mixed, timestamp_48k: 0, frame: &frame, is_silent: true };
        engine.handle_heard(&heard, TICK);
        assert_eq!((engine.poll_transmit(TICK), engine.poll_timeout(TICK)), (None, None));
        engine.attach(None, TICK);
        assert!(engine.poll_frame(SampleRate::Hz16000, TICK).is_some());
        assert_eq!(engine.detach(false, TICK), Reaction::Flush);
        engine.attach(None, TICK);
        assert!(engine.poll_frame(SampleRate::Hz16000, TICK).is_none());
    }

    #[test]
    fn a_media_thread_that_changes_its_rate_gets_the_same_sound() {
        let mut engine = engine(Dialect::Hookswitch, Rate::Hz24000);
        engine.attach(None, TICK);
        let tone = sine(1000.0, 24_000, 8_000.0, 48_000);
        assert_eq!(engine.handle_binary(&octets(&tone), TICK), Ok(Reaction::None));
        for rate in [SampleRate::Hz8000, SampleRate::Hz48000, SampleRate::Hz16000] {
            let mut said = Vec::new();
            for _ in 0..30 {
                said.extend_from_slice(engine.poll_frame(rate, TICK).unwrap().samples());
            }
            let level = amplitude_at(&said[rate.frame_samples() * 5..], 1000.0, rate.hz());
            assert!((level - 8_000.0).abs() < 150.0, "{rate:?}: {level}");
        }
    }

    #[test]
    fn pings_go_out_and_silence_and_unread_messages_come_due() {
        let mut engine = engine(Dialect::Acs, Rate::Hz16000);
        let at = Duration::from_secs;
        engine.attach(None, at(0));
        assert_eq!(engine.poll_timeout(at(0)), Some(at(10)));
        assert!(engine.poll_transmit(at(0)).is_some());
        assert_eq!((engine.poll_timeout(at(0)), engine.handle_timeout(at(15))), (Some(at(15)), Ok(())));
        assert_eq!(engine.poll_transmit(at(15)), Some(Outgoing::Ping));
        assert_eq!(engine.handle_message(0, at(16)), Ok(()));
        assert_eq!(engine.handle_timeout(at(39)), Ok(()));
        assert_eq!(engine.handle_timeout(at(49)), Err(Violation::NotReading));
        assert!(engine.poll_transmit(at(49)).is_some());
        assert_eq!(engine.handle_timeout(at(56)), Err(Violation::Silent));
    }

    #[test]
    fn control_messages_that_nobody_reads_are_bounded() {
        let mut engine = engine(Dialect::Acs, Rate::Hz16000);
        engine.attach(None, TICK);
        for _ in 0..MAX_CONTROLS {
            engine.handle_event(Event::Tone { tone: Tone::Star, participant: None }, TICK);
        }
        assert_eq!(engine.handle_timeout(TICK), Err(Violation::NotReading));
        let _ = engine.detach(true, TICK);
        engine.attach(None, TICK);
        let kept = std::iter::from_fn(|| engine.poll_transmit(TICK)).count();
        assert_eq!(kept, 1 + KEPT_CONTROLS, "the greeting, and the latest keys");
    }

    proptest! {
        #[test]
        fn whatever_is_sent_it_neither_panics_nor_grows(
            steps in prop::collection::vec((0_u8..8, any::<u16>(), ".{0,20}"), 0..100)
        ) {
            let mut engine = engine(Dialect::Hookswitch, Rate::Hz24000);
            let mut now = TICK;
            engine.attach(None, now);
            for (step, size, text) in steps {
                now += Duration::from_millis((size % 50).into());
                let size = usize::from(size);
                let handled = match step {
                    0..=2 => engine.handle_binary(&vec![1; size], now),
                    3 => engine.handle_text(&format!(r#"{{"kind":"Mark","name":{text:?}}}"#), now),
                    4 => engine.handle_text(r#"{"kind":"Clear"}"#, now),
                    5 => engine.handle_text(&text, now),
                    6 => {
                        engine.poll_frame(SampleRate::Hz16000, now);
                        Ok(Reaction::None)
                    }
                    _ => {
                        engine.handle_gone(size as u64 % 10, now);
                        engine.handle_timeout(now).map(|()| Reaction::None)
                    }
                };
                if handled.is_err() {
                    let _ = engine.detach(size % 2 == 0, now);
                    engine.attach(Some(&text), now);
                }
                prop_assert!(!engine.outbox.is_overfull());
            }
        }
    }
}
