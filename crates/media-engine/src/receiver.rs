//! The receiving half of a leg: from packets to a frame every 20 ms.
//!
//! Everything is reckoned on the sender's clock, in timestamp units. At any moment there is a sample that ought to be
//! played: the one of a packet of least delay that has waited for the target delay. Playing runs behind or ahead of
//! it by the error, and periods of sound are left out or repeated to keep the error small. So clock drift, delay
//! spikes and a changed target are one case.
//!
//! - *Idle*: nothing to play. The first packet whose time has come starts playing.
//! - *Playing*: packets are decoded in order. A gap before a younger packet is concealed, and time goes on. When
//!   there is no packet at all, sound is made up but the place in the stream is kept (the debt), for the packets may
//!   just be delayed; the first packet to come uses up the debt. After 200 ms of that the receiver is idle.

use std::time::Duration;

use crate::decoder::{Decoder, OPUS_STEP};
use crate::delay::DelayEstimator;
use crate::events::EventReceiver;
use crate::level::QUIETEST_VOICE_DB;
use crate::packets::{Entry, MAX_STORED_PAYLOAD, PacketStore, Stored};
use crate::pcm::Pcm;
use crate::reception::{Reception, Verdict};
use crate::{Codec, FRAME_MS, Frame, RtpPacketRef, TelephoneEventFormat, ToneEvent};

/// Payload type of comfort noise (RFC 3389); its content is not used.
const COMFORT_NOISE: u8 = 13;
/// Playing later than it ought to by this much is corrected. Where the cautious target of the beginning was not
/// needed, the error is just below, so speech of a calm network is never stretched.
const LATE_TOLERANCE_MS: i64 = 30;
/// Playing later by this much than the latest packet made necessary is corrected where nobody speaks, once the network has
/// been calm for a while. No less, for at most 10 ms are left out at once.
const IDLE_MS: i64 = 10;
/// From here on sound is left out even where that may be heard.
const URGENT_MS: i64 = 80;
/// Playing earlier than it ought to by this much is corrected.
const EARLY_TOLERANCE_MS: i64 = 10;
/// When this much more than the target waits, the oldest is skipped; shortening would take too long.
const SKIP_OVER_TARGET_MS: i64 = 200;
/// A transit time off by this much means that timestamps began anew, or that the far end paused its clock.
const JUMP_MS: i64 = 400;
/// Two such packets in a row have to agree by this much.
const JUMP_AGREEMENT_MS: i64 = 100;
/// Packets that are decoded for one frame, at most: twice as many as the shortest of Opus (2.5 ms) make up. Bounds
/// what a hostile sender of overlapping packets can cost.
const MAX_STEPS: usize = 16;
/// Pieces into which long payloads of fixed-rate codecs are cut: 60 ms.
const LONGEST_PIECE: usize = 480;
/// The longest packet of Opus, and so the longest that is decoded at once, in milliseconds.
const LONGEST_PACKET_MS: i64 = 120;

/// What a receiver was negotiated to take.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverConfig {
    /// The audio codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// How keys arrive, when that was negotiated.
    pub telephone_event: Option<TelephoneEventFormat>,
}

/// Where the audio of a pulled frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Decoded from packets, at least in part.
    Audio,
    /// Made up to cover packets that are missing.
    Concealed,
    /// Packets came of which [`AudioReceiver::pull_voice`] decoded none, for nobody speaks in them.
    Quiet,
    /// Digital silence: nothing has come yet, or nothing came for long.
    Silence,
}

/// Counters of the current source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Synchronisation source, once one is known.
    pub ssrc: Option<u32>,
    /// Packets received, duplicates and late ones included (RFC 3550, A.3).
    pub received: u64,
    /// Highest sequence number, with wrap-arounds in the upper half.
    pub extended_highest_sequence: u32,
    /// Packets expected less packets received, in 24 bits with sign.
    pub cumulative_lost: i32,
    /// Interarrival jitter in units of the codec's clock (RFC 3550, A.8).
    pub jitter: u32,
    /// Audio packets that came after their time to play.
    pub late: u64,
    /// Audio packets that came twice.
    pub duplicates: u64,
    /// Packets that were not understood, or found the buffer full.
    pub discarded: u64,
    /// Samples that concealment made up.
    pub concealed_samples: u64,
    /// Samples that were left out to reduce the delay.
    pub removed_samples: u64,
    /// Samples that were added to raise the delay.
    pub inserted_samples: u64,
    /// How long packets are meant to wait before they are played, in milliseconds.
    pub target_delay_ms: u32,
}

/// One report block of an RTCP sender or receiver report (RFC 3550, 6.4.1), less the LSR and DLSR fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that the block is about.
    pub ssrc: u32,
    /// Share of packets lost since the previous report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start; fits 24 bits with sign.
    pub cumulative_lost: i32,
    /// Highest sequence number, with wrap-arounds in the upper half.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter in units of the codec's clock.
    pub jitter: u32,
}

/// Turns the packets of one far end into a frame every 20 ms.
///
/// Give it every packet as it comes, and pull one frame every 20 ms.
#[derive(Debug)]
pub struct AudioReceiver {
    config: ReceiverConfig,
    ticks_per_ms: i64,
    decoder: Decoder,
    store: PacketStore,
    delay: DelayEstimator,
    pcm: Pcm,
    reception: Reception,
    events: EventReceiver,
    /// The newest timestamp, extended.
    newest: i64,
    /// The extended timestamp of the next sample to be decoded, once playing has begun.
    next: Option<i64>,
    is_playing: bool,
    /// Timestamp units of sound made up while nothing had come.
    debt: i64,
    /// Transit time of a packet that did not fit, to be confirmed by the next.
    jump: Option<i64>,
    /// Whether packets are left undecoded where nobody speaks in them, for the frame that is being pulled.
    is_sparing: bool,
    /// The decoder has not seen the newest packets.
    is_stale: bool,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    late: u64,
    duplicates: u64,
    discarded: u64,
    concealed: u64,
    removed: u64,
    inserted: u64,
}

impl AudioReceiver {
    /// Allocates everything that the receiver will ever need.
    #[must_use]
    pub fn new(config: ReceiverConfig) -> Self {
        let clock_rate = config.codec.clock_rate();
        Self {
            config,
            ticks_per_ms: i64::from(clock_rate / 1000),
            decoder: Decoder::new(config.codec),
            store: PacketStore::new(config.codec),
            delay: DelayEstimator::new(clock_rate),
            pcm: Pcm::new(config.codec.sample_rate()),
            reception: Reception::default(),
            events: EventReceiver::new(),
            newest: 0,
            next: None,
            is_playing: false,
            debt: 0,
            jump: None,
            is_sparing: false,
            is_stale: false,
            counters: Counters::default(),
        }
    }

    /// Takes a packet that came at `now`.
    pub fn handle_rtp(&mut self, packet: RtpPacketRef<'_>, now: Duration) {
        match self.reception.handle(packet.ssrc, packet.sequence) {
            Verdict::OnProbation => {
                self.counters.discarded += 1;
                return;
            }
            Verdict::Begins => {
                self.restart(packet.timestamp);
                self.events.reset();
            }
            Verdict::Belongs => {}
        }
        if packet.payload_type == self.config.payload_type {
            self.handle_audio(packet, now);
        } else if self.config.telephone_event.is_some_and(|t| t.payload_type == packet.payload_type) {
            if !self.events.handle(packet.timestamp, packet.marker, packet.payload) {
                self.counters.discarded += 1;
            }
        } else if packet.payload_type != COMFORT_NOISE {
            self.counters.discarded += 1;
        }
    }

    /// Writes the next 20 ms at the codec's sampling rate; to be called every 20 ms.
    pub fn pull(&mut self, now: Duration, out: &mut Frame) -> FrameKind {
        self.is_sparing = false;
        self.pull_frame(now, out)
    }

    /// As [`Self::pull`], but does not decode packets that say of themselves that nobody speaks in them, by their
    /// level or by the codec's own mark: they become silence.
    ///
    /// For whoever only wants to know who speaks. The calls may alternate; neither makes a click.
    pub fn pull_voice(&mut self, now: Duration, out: &mut Frame) -> FrameKind {
        self.is_sparing = true;
        self.pull_frame(now, out)
    }

    /// True while frames are silence and stay silence until a packet comes, and no key waits to be polled.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_resting() && self.events.is_empty()
    }

    fn pull_frame(&mut self, now: Duration, out: &mut Frame) -> FrameKind {
        if self.is_resting() {
            out.reset(self.config.codec.sample_rate());
            return FrameKind::Silence;
        }
        let wanted = self.config.codec.frame_samples();
        let concealed_before = self.counters.concealed;
        self.start_when_due(now);
        let error_ms = self.error_ms(now);
        let is_late = error_ms.is_some_and(|e| e > LATE_TOLERANCE_MS);
        self.skip_backlog();
        let mut steps = 0;
        while self.pcm.pending() < wanted && steps < MAX_STEPS && self.decode_next(now) {
            steps += 1;
        }
        if is_late {
            // Another frame, if there is one, gives shortening more to choose from and keeps the frame whole.
            while self.pcm.pending() < 2 * wanted && steps < MAX_STEPS && self.is_next_waiting() {
                self.decode_next(now);
                steps += 1;
            }
            self.shorten(error_ms.unwrap_or(0), wanted);
        } else if self.is_idly_late(now) && self.pcm.is_quiet() {
            if self.pcm.pending() < 2 * wanted && self.is_next_waiting() {
                self.decode_next(now);
            }
            if self.pcm.is_quiet() {
                self.shorten(0, wanted);
            }
        } else if error_ms.is_some_and(|e| e < -EARLY_TOLERANCE_MS) && self.pcm.pending() >= wanted {
            self.counters.inserted += self.pcm.lengthen() as u64;
        }
        self.cover_shortage(wanted);
        self.pcm.take(out);
        if self.counters.concealed > concealed_before {
            FrameKind::Concealed
        } else if !self.pcm.is_silent() {
            FrameKind::Audio
        } else if self.is_stale && self.is_playing {
            FrameKind::Quiet
        } else {
            FrameKind::Silence
        }
    }

    /// Nothing plays, waits or has yet to fade.
    fn is_resting(&self) -> bool {
        !self.is_playing && self.store.front().is_none() && self.pcm.pending() == 0 && self.pcm.is_blank()
    }

    /// The next key that the far end pressed, each once.
    pub fn poll_tone(&mut self) -> Option<ToneEvent> {
        self.events.poll()
    }

    /// Counters since the current source appeared; those of playing since the receiver was made.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        ReceiverStats {
            ssrc: self.reception.ssrc(),
            received: self.reception.received(),
            extended_highest_sequence: self.reception.extended_highest(),
            cumulative_lost: self.reception.cumulative_lost(),
            jitter: self.reception.jitter(),
            late: self.counters.late,
            duplicates: self.counters.duplicates,
            discarded: self.counters.discarded,
            concealed_samples: self.counters.concealed,
            removed_samples: self.counters.removed,
            inserted_samples: self.counters.inserted,
            target_delay_ms: self.delay.target_ms(),
        }
    }

    /// The report block for a report that is sent now; begins the next interval of `fraction_lost`.
    pub fn report_block(&mut self) -> Option<ReportBlock> {
        self.reception.report_block()
    }

    fn handle_audio(&mut self, packet: RtpPacketRef<'_>, now: Duration) {
        let Some(ticks) = self.decoder.payload_ticks(packet.payload) else {
            self.counters.discarded += 1;
            return;
        };
        let mut timestamp = self.extend(packet.timestamp);
        let mut transit = self.ticks_at(now) - timestamp;
        if self.is_off(transit) {
            let agreement = JUMP_AGREEMENT_MS * self.ticks_per_ms;
            if self.jump.replace(transit).is_none_or(|before| (transit - before).abs() > agreement) {
                self.counters.discarded += 1;
                return;
            }
            self.restart(packet.timestamp);
            self.reception.forget_transit();
            timestamp = self.extend(packet.timestamp);
            transit = self.ticks_at(now) - timestamp;
        }
        self.jump = None;
        self.newest = self.newest.max(timestamp);
        if self.store((timestamp, ticks), packet.level, packet.payload) {
            self.reception.observe_transit(transit);
            self.delay.observe(transit, now);
        }
    }

    /// Stores a payload unless its time is over; false for one that was stored before.
    fn store(&mut self, (timestamp, ticks): (i64, u32), level: Option<u8>, payload: &[u8]) -> bool {
        if self.next.is_some_and(|next| timestamp + i64::from(ticks) <= next) {
            self.counters.late += 1;
            return true;
        }
        let piece = if self.config.codec.is_octet_per_tick() { LONGEST_PIECE } else { MAX_STORED_PAYLOAD };
        let mut at = timestamp;
        for part in payload.chunks(piece) {
            let part_ticks = if part.len() == payload.len() { ticks } else { part.len() as u32 };
            match self.store.insert((at, part_ticks), level, part) {
                Stored::Duplicate => {
                    self.counters.duplicates += 1;
                    return false;
                }
                Stored::Overflow(count) => self.counters.discarded += u64::from(count),
                Stored::Kept => {}
                Stored::TooLong => self.counters.discarded += 1,
            }
            at += i64::from(part_ticks);
        }
        true
    }

    /// Begins playing when the first packet has waited for the target delay, to half a frame.
    fn start_when_due(&mut self, now: Duration) {
        let half = i64::from(FRAME_MS) * self.ticks_per_ms / 2;
        let Some(due) = self.due(now).filter(|_| !self.is_playing) else { return };
        if let Some(front) = self.store.front().filter(|front| due + half >= front.timestamp) {
            self.next = Some(self.next.map_or(front.timestamp, |next| next.max(front.timestamp)));
            self.is_playing = true;
            self.debt = 0;
        }
    }

    /// Adds sound to what waits to be played; false when nothing has come for the next place in the stream.
    fn decode_next(&mut self, now: Duration) -> bool {
        let Some(mut next) = self.next.filter(|_| self.is_playing) else { return false };
        while self.store.front().is_some_and(|front| front.end() <= next) {
            self.store.pop_front();
        }
        let Some(front) = self.store.front().copied() else { return false };
        if self.debt > 0 && front.timestamp > next {
            next = next.saturating_add(self.debt).min(front.timestamp);
            if next < front.timestamp {
                let frame = i64::from(FRAME_MS) * self.ticks_per_ms;
                if self.due(now).is_none_or(|due| due + frame < front.timestamp) {
                    return false;
                }
                next = front.timestamp;
            }
        }
        self.debt = 0;
        self.next = Some(next);
        if front.timestamp > next {
            self.conceal_gap(front.timestamp - next);
        } else {
            self.decode_front(next - front.timestamp, front);
        }
        true
    }

    fn decode_front(&mut self, skipped_ticks: i64, front: Entry) {
        let mut payload = [0; MAX_STORED_PAYLOAD];
        let length = self.store.copy_front(&mut payload);
        self.store.pop_front();
        let per_tick = self.config.codec.samples_per_tick();
        let skip = usize::try_from(skipped_ticks).unwrap_or(0) * per_tick;
        let payload = payload.get(..length).unwrap_or_default();
        self.next = Some(front.end());
        if self.is_sparing && self.is_unvoiced(front.level, payload) {
            self.is_stale = true;
            self.pcm.commit_silence((front.ticks as usize * per_tick).saturating_sub(skip));
            return;
        }
        if std::mem::take(&mut self.is_stale) {
            // What it predicts from lies too far back to be right.
            self.decoder.reset();
        }
        let count = self.decoder.decode(payload, self.pcm.space());
        if count > 0 {
            self.pcm.commit(skip, count);
        } else {
            self.counters.discarded += 1;
        }
    }

    /// True when a packet says of itself that nobody speaks in it.
    fn is_unvoiced(&self, level: Option<u8>, payload: &[u8]) -> bool {
        match level {
            Some(level) => f32::from(level) > -QUIETEST_VOICE_DB,
            None => self.decoder.is_unvoiced(payload),
        }
    }

    /// Makes up at most a frame of a gap before a packet that is there.
    fn conceal_gap(&mut self, gap_ticks: i64) {
        let per_tick = self.config.codec.samples_per_tick();
        let ticks = gap_ticks.min(i64::from(self.config.codec.frame_ticks()));
        let samples = usize::try_from(ticks).unwrap_or(0) * per_tick;
        self.conceal(samples, gap_ticks == ticks);
        self.next = self.next.map(|next| next + ticks);
    }

    /// Makes up at least `samples`, or a few more where the codec works in steps; the packet in front may help when it
    /// is the one that follows. Returns how many there are.
    fn conceal(&mut self, samples: usize, is_followed: bool) -> usize {
        let made = if self.decoder.conceals() && !self.pcm.is_silent() {
            let mut payload = [0; MAX_STORED_PAYLOAD];
            let length = if is_followed { self.store.copy_front(&mut payload) } else { 0 };
            let next = payload.get(..length).filter(|p| !p.is_empty());
            let space = self.pcm.space().get_mut(..samples.next_multiple_of(OPUS_STEP)).unwrap_or_default();
            let made = self.decoder.conceal(next, space);
            self.pcm.commit_concealed(made);
            made
        } else {
            0
        };
        if !self.pcm.is_silent() {
            self.counters.concealed += made.max(samples) as u64;
            self.delay.disturb();
        }
        if made < samples {
            self.pcm.conceal(samples - made);
        }
        made.max(samples)
    }

    /// Fills the frame up when too little waits, and keeps the place in the stream.
    fn cover_shortage(&mut self, wanted: usize) {
        let missing = wanted.saturating_sub(self.pcm.pending());
        if missing == 0 {
            return;
        }
        let made = self.conceal(missing, false);
        if self.is_playing {
            self.debt += (made / self.config.codec.samples_per_tick()) as i64;
            self.is_playing = !self.pcm.is_silent();
        }
    }

    fn shorten(&mut self, error_ms: i64, wanted: usize) {
        // A short frame is better than a late one only when the rest of it is certain to be there.
        if self.pcm.pending() >= wanted + wanted / 2 || self.is_next_waiting() {
            self.counters.removed += self.pcm.shorten(error_ms > URGENT_MS) as u64;
        }
        if self.pcm.pending() < wanted
            && self.is_next_waiting()
            && let Some(front) = self.store.front().copied()
        {
            self.decode_front(0, front);
        }
    }

    /// Jumps over the oldest packets when so many wait that shortening would take too long.
    fn skip_backlog(&mut self) {
        let (Some(next), Some(end)) = (self.next.filter(|_| self.is_playing), self.store.newest_end()) else {
            return;
        };
        let target = self.delay.target_ticks().max(LONGEST_PACKET_MS * self.ticks_per_ms);
        if end - next <= target + SKIP_OVER_TARGET_MS * self.ticks_per_ms {
            return;
        }
        while let Some(front) = self.store.front().copied() {
            if front.end() > end - target {
                self.pcm.jump();
                self.next = Some(front.timestamp.max(next));
                self.debt = 0;
                return;
            }
            self.counters.removed += (front.ticks as usize * self.config.codec.samples_per_tick()) as u64;
            self.store.pop_front();
        }
    }

    /// True when the next packet in order is there.
    fn is_next_waiting(&self) -> bool {
        self.next.zip(self.store.front()).is_some_and(|(next, front)| front.timestamp == next)
    }

    /// The timestamp that ought to be played now.
    fn due(&self, now: Duration) -> Option<i64> {
        let base = self.delay.base()?;
        Some(self.ticks_at(now) - base - self.delay.target_ticks())
    }

    /// How much later than it ought to be the next sample is played, while sound is being played.
    fn error_ms(&self, now: Duration) -> Option<i64> {
        let due = self.due(now).filter(|_| self.is_playing && self.debt == 0)?;
        let pending = self.pcm.pending() / self.config.codec.samples_per_tick();
        Some((due - (self.next? - pending as i64)) / self.ticks_per_ms)
    }

    /// Whether sound is played later than any packet of late made necessary.
    fn is_idly_late(&self, now: Duration) -> bool {
        let calm = self.delay.calm_target_ticks().map(|calm| calm - self.delay.target_ticks());
        self.error_ms(now).zip(calm).is_some_and(|(error, calm)| error - calm / self.ticks_per_ms >= IDLE_MS)
    }

    /// Forgets the stream; what is left to play and the network's delay variation stay.
    fn restart(&mut self, timestamp: u32) {
        self.store.clear();
        self.decoder.reset();
        self.delay.rebase();
        self.pcm.jump();
        self.newest = i64::from(timestamp);
        (self.next, self.is_playing, self.debt, self.jump) = (None, false, 0, None);
        self.is_stale = false;
    }

    /// True when a transit time does not fit those before it.
    fn is_off(&self, transit: i64) -> bool {
        self.delay.base().is_some_and(|base| (transit - base).abs() > JUMP_MS * self.ticks_per_ms)
    }

    /// The timestamp nearest to the newest one that has these low 32 bits.
    fn extend(&self, timestamp: u32) -> i64 {
        let ahead = timestamp.wrapping_sub(self.newest as u32) as i32;
        self.newest.saturating_add(i64::from(ahead))
    }

    /// The moment in timestamp units.
    fn ticks_at(&self, now: Duration) -> i64 {
        let per_second = self.ticks_per_ms * 1000;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX / 2 / per_second);
        let rest = i64::from(now.subsec_nanos()) * per_second / 1_000_000_000;
        seconds.saturating_mul(per_second).saturating_add(rest)
    }
}
