//! The sending half of a leg: a packet every 20 ms, from frames or from queued keys.
//!
//! A key is sent as telephone events (RFC 4733) in the place of sound, with its last packet three times, or as sound
//! when the far end takes no events.

use std::collections::VecDeque;

use crate::codec::FRAMES_PER_SECOND;
use crate::encoder::{Effort, Encoder};
use crate::{Codec, FRAME_MS, Frame, SentPacket, TelephoneEventFormat, Tone, ToneGenerator};

/// Octets that the payload buffer of [`AudioSender::send`] must hold.
pub const MAX_PAYLOAD_BYTES: usize = 512;

/// Tones that can wait to be sent; more than a person dials at once.
pub const MAX_QUEUED_TONES: usize = 64;

/// Ticks that a key lasts: 160 ms, longer than any detector needs.
const TONE_TICKS: u32 = 8;
/// How often the last packet of a key is sent (RFC 4733, 2.5.1.4).
const END_PACKETS: u32 = 3;
/// Power of a key, in -dBm0, in the volume field (RFC 4733, 2.3.2).
const EVENT_VOLUME: u8 = 10;
/// The end bit of an event packet.
const END_BIT: u8 = 0x80;

/// What a sender was negotiated to send.
#[derive(Clone, Copy, Debug)]
pub struct SenderConfig {
    /// The audio codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Synchronisation source; random (RFC 3550, 8).
    pub ssrc: u32,
    /// First sequence number; random (RFC 3550, 5.1).
    pub first_sequence: u16,
    /// First timestamp; random (RFC 3550, 5.1).
    pub first_timestamp: u32,
    /// How keys are sent; without it they are sent as sound.
    pub telephone_event: Option<TelephoneEventFormat>,
}

/// More tones than [`MAX_QUEUED_TONES`] would wait; none of the new ones was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_QUEUED_TONES} tones would wait to be sent")]
pub struct ToneQueueFull;

/// A key that waits.
#[derive(Clone, Copy, Debug)]
struct QueuedTone {
    tone: Tone,
    gap_ticks: u32,
}

/// What there is to send beside keys.
#[derive(Clone, Copy)]
enum Sound<'a> {
    Encoded(&'a [u8]),
    Frame(&'a Frame),
    Silence,
}

/// What the ticks are used for.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Audio,
    /// The key's last packet is repeated.
    EventEnd {
        tone: Tone,
        timestamp: u32,
        ticks: u32,
        left: u32,
        gap_ticks: u32,
    },
    /// The key lasts.
    Event {
        tone: Tone,
        timestamp: u32,
        ticks: u32,
        gap_ticks: u32,
    },
    /// Sound goes out until the next key may be sent.
    Gap {
        left: u32,
    },
    /// The key is sent as sound.
    InBand {
        generator: ToneGenerator,
        left: u32,
        gap_ticks: u32,
    },
}

/// Turns frames into packets, one every 20 ms.
///
/// Call either [`Self::send`] or [`Self::skip`] every tick.
#[derive(Debug)]
pub struct AudioSender {
    config: SenderConfig,
    encoder: Encoder,
    sequence: u16,
    timestamp: u32,
    /// The next audio packet is the first after a pause.
    is_spurt_start: bool,
    queue: VecDeque<QueuedTone>,
    mode: Mode,
    are_tones_sent: bool,
    packets: u32,
    octets: u32,
}

impl AudioSender {
    /// Allocates everything that the sender will ever need.
    #[must_use]
    pub fn new(config: SenderConfig) -> Self {
        Self {
            config,
            encoder: Encoder::new(config.codec),
            sequence: config.first_sequence,
            timestamp: config.first_timestamp,
            is_spurt_start: true,
            queue: VecDeque::with_capacity(MAX_QUEUED_TONES),
            mode: Mode::Audio,
            are_tones_sent: false,
            packets: 0,
            octets: 0,
        }
    }

    /// Writes the payload of this tick's packet to `payload` and returns its header fields.
    ///
    /// Without a frame, or with one of another rate than the codec's, silence is sent. Queued tones take the place
    /// of the frame. Returns nothing, and lets the timestamp advance, when `payload` is shorter than
    /// [`MAX_PAYLOAD_BYTES`] or the encoder fails.
    pub fn send(&mut self, frame: Option<&Frame>, payload: &mut [u8]) -> Option<SentPacket> {
        self.send_sound(frame.map_or(Sound::Silence, Sound::Frame), payload)
    }

    /// As [`Self::send`], of sound that another sender of the same codec has encoded ([`Self::encode`]).
    ///
    /// Returns nothing also where `encoded` is empty or too long.
    pub fn send_encoded(&mut self, encoded: &[u8], payload: &mut [u8]) -> Option<SentPacket> {
        self.send_sound(Sound::Encoded(encoded), payload)
    }

    /// Encodes one frame's samples as the continuation of what this sender encoded last, and sends nothing; returns the
    /// number of octets at the start of `payload`, 0 on failure.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8; MAX_PAYLOAD_BYTES]) -> usize {
        self.encode_for(samples, payload, Effort { is_shared: true, has_treble: true })
    }

    /// The same with so much effort.
    pub(crate) fn encode_for(
        &mut self,
        samples: &[i16],
        payload: &mut [u8; MAX_PAYLOAD_BYTES],
        effort: Effort,
    ) -> usize {
        self.encoder.encode(samples, payload, effort)
    }

    /// The audio codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.config.codec
    }

    fn send_sound(&mut self, sound: Sound<'_>, payload: &mut [u8]) -> Option<SentPacket> {
        let sent = payload.get_mut(..MAX_PAYLOAD_BYTES).and_then(|payload| self.make_packet(sound, payload));
        self.timestamp = self.timestamp.wrapping_add(self.config.codec.frame_ticks());
        let packet = sent?;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload_len as u32);
        Some(packet)
    }

    /// Lets one tick pass without a packet, as while the call is on hold.
    pub fn skip(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(self.config.codec.frame_ticks());
        self.is_spurt_start = true;
    }

    /// Queues keys to be sent one after the other with a pause of `gap_ms` (rounded up to ticks) after each.
    ///
    /// # Errors
    ///
    /// Returns [`ToneQueueFull`] when more than [`MAX_QUEUED_TONES`] would wait; nothing has changed then.
    pub fn send_tones(&mut self, tones: &[Tone], gap_ms: u32) -> Result<(), ToneQueueFull> {
        if self.queue.len() + tones.len() > MAX_QUEUED_TONES {
            return Err(ToneQueueFull);
        }
        let gap_ticks = gap_ms.div_ceil(FRAME_MS);
        self.queue.extend(tones.iter().map(|tone| QueuedTone { tone: *tone, gap_ticks }));
        self.are_tones_sent = false;
        Ok(())
    }

    /// Forgets the tones that wait; the one being sent is ended properly. They do not count as sent.
    pub fn cancel_tones(&mut self) {
        self.queue.clear();
        self.mode = match self.mode {
            Mode::Event { tone, timestamp, ticks, .. } if ticks > 0 => {
                Mode::EventEnd { tone, timestamp, ticks, left: END_PACKETS, gap_ticks: 0 }
            }
            Mode::EventEnd { tone, timestamp, ticks, left, .. } => {
                Mode::EventEnd { tone, timestamp, ticks, left, gap_ticks: 0 }
            }
            Mode::Audio | Mode::Event { .. } | Mode::Gap { .. } | Mode::InBand { .. } => Mode::Audio,
        };
        self.are_tones_sent = false;
    }

    /// Takes over the tones that another sender has not sent, as when the codec changes.
    ///
    /// A key that has begun counts as sent: its first packets tell the far end of it, and it must not hear it twice.
    pub fn take_tones(&mut self, from: &mut Self) {
        std::mem::swap(&mut self.queue, &mut from.queue);
        self.are_tones_sent = std::mem::take(&mut from.are_tones_sent);
        match std::mem::replace(&mut from.mode, Mode::Audio) {
            Mode::Audio => self.mode = Mode::Audio,
            Mode::Event { gap_ticks, .. }
            | Mode::EventEnd { gap_ticks, .. }
            | Mode::InBand { gap_ticks, .. } => self.begin_gap(gap_ticks),
            Mode::Gap { left } => self.begin_gap(left),
        }
        from.queue.clear();
    }

    /// True while tones wait or are being sent.
    #[must_use]
    pub fn has_tones(&self) -> bool {
        !self.queue.is_empty() || !matches!(self.mode, Mode::Audio)
    }

    /// True once after all queued tones and the pause after the last have been sent.
    pub fn poll_tones_sent(&mut self) -> bool {
        std::mem::take(&mut self.are_tones_sent)
    }

    /// Packets and octets of payload sent so far, as an RTCP sender report counts them (RFC 3550, 6.4.1).
    #[must_use]
    pub fn counts(&self) -> SenderCounts {
        SenderCounts { packets: self.packets, octets: self.octets, next_timestamp: self.timestamp }
    }

    fn make_packet(&mut self, audio: Sound<'_>, payload: &mut [u8]) -> Option<SentPacket> {
        self.begin_tone();
        match self.mode {
            Mode::Event { tone, timestamp, ticks, gap_ticks } => {
                let ticks = ticks + 1;
                if ticks >= TONE_TICKS {
                    self.mode = Mode::EventEnd { tone, timestamp, ticks, left: END_PACKETS, gap_ticks };
                    return self.end_event(payload);
                }
                self.mode = Mode::Event { tone, timestamp, ticks, gap_ticks };
                self.event_packet((tone, timestamp, ticks, 0), payload)
            }
            Mode::EventEnd { .. } => self.end_event(payload),
            Mode::Gap { left } => {
                self.begin_gap(left - 1);
                self.audio_packet(audio, payload)
            }
            Mode::InBand { mut generator, left, gap_ticks } => {
                let mut sound = Frame::silence(self.config.codec.sample_rate());
                generator.fill(&mut sound);
                self.mode = Mode::InBand { generator, left: left - 1, gap_ticks };
                if left == 1 {
                    self.begin_gap(gap_ticks);
                }
                self.audio_packet(Sound::Frame(&sound), payload)
            }
            Mode::Audio => self.audio_packet(audio, payload),
        }
    }

    /// Takes the next key off the queue when nothing else is under way.
    fn begin_tone(&mut self) {
        if !matches!(self.mode, Mode::Audio) {
            return;
        }
        let Some(QueuedTone { tone, gap_ticks }) = self.queue.pop_front() else { return };
        self.mode = match (self.config.telephone_event, ToneGenerator::key(tone)) {
            (Some(_), _) => Mode::Event { tone, timestamp: self.timestamp, ticks: 0, gap_ticks },
            (None, Some(generator)) => Mode::InBand { generator, left: TONE_TICKS, gap_ticks },
            // A flash has no sound; only its pause is kept.
            (None, None) => Mode::Gap { left: gap_ticks.max(1) },
        };
    }

    /// Sends the last packet of a key once more, and goes on to the pause after the last time.
    fn end_event(&mut self, payload: &mut [u8]) -> Option<SentPacket> {
        let Mode::EventEnd { tone, timestamp, ticks, left, gap_ticks } = self.mode else { return None };
        if left > 1 {
            self.mode = Mode::EventEnd { tone, timestamp, ticks, left: left - 1, gap_ticks };
        } else {
            // The repetitions lie in the pause.
            self.begin_gap(gap_ticks.saturating_sub(END_PACKETS - 1));
        }
        self.event_packet((tone, timestamp, ticks, END_BIT), payload)
    }

    fn begin_gap(&mut self, left: u32) {
        if left > 0 {
            self.mode = Mode::Gap { left };
            return;
        }
        self.mode = Mode::Audio;
        self.are_tones_sent = self.queue.is_empty();
    }

    /// Writes an event packet for (key, its timestamp, ticks that it has lasted, end bit).
    fn event_packet(&mut self, event: (Tone, u32, u32, u8), payload: &mut [u8]) -> Option<SentPacket> {
        let (tone, timestamp, ticks, end_bit) = event;
        let format = self.config.telephone_event?;
        let duration = u16::try_from(ticks * (format.clock_rate / FRAMES_PER_SECOND)).unwrap_or(u16::MAX);
        let [high, low] = duration.to_be_bytes();
        payload.get_mut(..4)?.copy_from_slice(&[tone.event(), end_bit | EVENT_VOLUME, high, low]);
        self.is_spurt_start = true;
        Some(SentPacket {
            payload_type: format.payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.config.ssrc,
            marker: ticks == 1 && end_bit == 0,
            payload_len: 4,
        })
    }

    fn audio_packet(&mut self, sound: Sound<'_>, payload: &mut [u8]) -> Option<SentPacket> {
        let rate = self.config.codec.sample_rate();
        let payload_len = match sound {
            Sound::Encoded(encoded) => {
                payload.get_mut(..encoded.len())?.copy_from_slice(encoded);
                encoded.len()
            }
            Sound::Frame(frame) if frame.rate() == rate => {
                self.encoder.encode(frame.samples(), payload, Effort::default())
            }
            Sound::Frame(_) | Sound::Silence => {
                self.encoder.encode(Frame::silence(rate).samples(), payload, Effort::default())
            }
        };
        let marker = std::mem::take(&mut self.is_spurt_start);
        (payload_len > 0).then_some(SentPacket {
            payload_type: self.config.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.config.ssrc,
            marker,
            payload_len,
        })
    }
}

/// What an RTCP sender report says of the sender (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderCounts {
    /// Packets sent.
    pub packets: u32,
    /// Octets of payload sent.
    pub octets: u32,
    /// Timestamp that the next tick's packet will carry.
    pub next_timestamp: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DtmfDetector, SampleRate, g711};

    const EVENTS: TelephoneEventFormat = TelephoneEventFormat { payload_type: 101, clock_rate: 8000 };

    fn sender(telephone_event: Option<TelephoneEventFormat>) -> AudioSender {
        AudioSender::new(SenderConfig {
            codec: Codec::Pcmu,
            payload_type: 0,
            ssrc: 0xDEAD_BEEF,
            first_sequence: 65_534,
            first_timestamp: u32::MAX - 200,
            telephone_event,
        })
    }

    fn ticks(sender: &mut AudioSender, count: usize) -> Vec<(SentPacket, Vec<u8>)> {
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        (0..count)
            .map(|_| {
                let sent = sender.send(None, &mut payload).unwrap();
                (sent, payload[..sent.payload_len].to_vec())
            })
            .collect()
    }

    #[test]
    fn silence_is_sent_in_sequence_and_the_first_packet_is_marked() {
        let sent = ticks(&mut sender(None), 4);
        let sequences: Vec<u16> = sent.iter().map(|(p, _)| p.sequence).collect();
        assert_eq!(sequences, [65_534, 65_535, 0, 1]);
        assert_eq!(sent[2].0.timestamp, (u32::MAX - 200).wrapping_add(320));
        assert_eq!(sent.iter().map(|(p, _)| p.marker).collect::<Vec<_>>(), [true, false, false, false]);
        assert!(sent.iter().all(|(p, payload)| p.payload_type == 0 && payload == &[0xFF; 160]));
    }

    #[test]
    fn the_timestamp_passes_while_nothing_is_sent() {
        let mut sender = sender(None);
        let before = ticks(&mut sender, 1)[0].0;
        sender.skip();
        sender.skip();
        assert_eq!(sender.send(None, &mut [0; 10]), None);
        let (after, _) = ticks(&mut sender, 1)[0].clone();
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 640);
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert!(after.marker);
        assert_eq!(
            sender.counts(),
            SenderCounts { packets: 2, octets: 320, next_timestamp: after.timestamp.wrapping_add(160) }
        );
    }

    #[test]
    fn a_key_is_a_growing_event_with_three_ends() {
        let mut sender = sender(Some(EVENTS));
        ticks(&mut sender, 3);
        sender.send_tones(&[Tone::Pound], 100).unwrap();
        let sent = ticks(&mut sender, 14);
        let start = sent[0].0;
        assert!(start.marker);
        for (n, (packet, payload)) in sent[..10].iter().enumerate() {
            let duration = 160 * (n as u16 + 1).min(8);
            let end = if n >= 7 { 0x80 } else { 0 };
            assert_eq!((packet.payload_type, packet.timestamp), (101, start.timestamp), "{n}");
            assert_eq!(packet.sequence, start.sequence.wrapping_add(n as u16));
            assert_eq!(payload[..2], [11, end | 10], "{n}");
            assert_eq!(payload[2..], duration.to_be_bytes(), "{n}");
            assert_eq!(packet.marker, n == 0);
        }
        assert!(sent[10..].iter().all(|(p, _)| p.payload_type == 0));
        assert_eq!(sent[10].0.timestamp, start.timestamp.wrapping_add(1600));
        assert!(sent[10].0.marker);
    }

    #[test]
    fn the_end_of_all_tones_is_told_once() {
        let mut sender = sender(Some(EVENTS));
        sender.send_tones(&[Tone::Tone1, Tone::Tone2], 100).unwrap();
        // Each: 8 ticks of key and 5 of pause, the first two of which repeat the end.
        for tick in 0..26 {
            assert!(!sender.poll_tones_sent(), "{tick}");
            assert!(sender.has_tones());
            ticks(&mut sender, 1);
        }
        assert!(sender.poll_tones_sent());
        assert!(!sender.poll_tones_sent() && !sender.has_tones());
    }

    #[test]
    fn cancelling_ends_the_key_under_way() {
        let mut sender = sender(Some(EVENTS));
        sender.send_tones(&[Tone::Tone1, Tone::Tone2], 100).unwrap();
        ticks(&mut sender, 3);
        sender.cancel_tones();
        let sent = ticks(&mut sender, 5);
        assert!(
            sent[..3]
                .iter()
                .all(|(_, payload)| payload[..2] == [1, 0x8A] && payload[2..] == 480_u16.to_be_bytes())
        );
        assert!(sent[3..].iter().all(|(p, _)| p.payload_type == 0));
    }

    #[test]
    fn tones_go_on_with_another_sender_after_the_key_under_way() {
        for sent_before in [0, 3, 9, 11, 13] {
            let mut old = sender(Some(EVENTS));
            let mut new = sender(None);
            old.send_tones(&[Tone::Tone1, Tone::Tone2], 100).unwrap();
            ticks(&mut old, sent_before);
            new.take_tones(&mut old);
            assert!(!old.has_tones() && new.has_tones(), "{sent_before}");

            let mut detector = DtmfDetector::new(SampleRate::Hz8000);
            let mut heard = Vec::new();
            for (_, payload) in ticks(&mut new, 32) {
                let mut frame = Frame::silence(SampleRate::Hz8000);
                for (slot, octet) in frame.samples_mut().iter_mut().zip(payload) {
                    *slot = g711::mu_decode(octet);
                }
                heard.extend(detector.handle_frame(&frame));
            }
            let expected: &[_] = if sent_before == 0 { &[Tone::Tone1, Tone::Tone2] } else { &[Tone::Tone2] };
            assert_eq!(heard, expected, "{sent_before}");
            assert!(new.poll_tones_sent() && !new.has_tones(), "{sent_before}");
        }
    }

    #[test]
    fn tones_that_end_with_the_change_of_senders_are_told_by_the_new_one() {
        for (sent_before, gap_ms) in [(3, 0), (8, 0), (26, 100)] {
            let (mut old, mut new) = (sender(Some(EVENTS)), sender(Some(EVENTS)));
            let tones = if gap_ms == 0 { vec![Tone::Tone1] } else { vec![Tone::Tone1, Tone::Tone2] };
            old.send_tones(&tones, gap_ms).unwrap();
            ticks(&mut old, sent_before);
            new.take_tones(&mut old);
            assert!(new.poll_tones_sent() && !new.has_tones(), "{sent_before}");
        }
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut sender = sender(Some(EVENTS));
        assert_eq!(sender.send_tones(&[Tone::Tone1; 64], 0), Ok(()));
        assert_eq!(sender.send_tones(&[Tone::Tone1], 0), Err(ToneQueueFull));
    }

    #[test]
    fn without_events_keys_are_sent_as_sound() {
        let mut sender = sender(None);
        let tones = [Tone::Tone4, Tone::Tone4, Tone::Flash, Tone::D];
        sender.send_tones(&tones, 100).unwrap();
        let mut detector = DtmfDetector::new(SampleRate::Hz8000);
        let mut heard = Vec::new();
        for (packet, payload) in ticks(&mut sender, 60) {
            assert_eq!(packet.payload_type, 0);
            let mut frame = Frame::silence(SampleRate::Hz8000);
            for (slot, octet) in frame.samples_mut().iter_mut().zip(payload) {
                *slot = g711::mu_decode(octet);
            }
            heard.extend(detector.handle_frame(&frame));
        }
        assert_eq!(heard, [Tone::Tone4, Tone::Tone4, Tone::D]);
        assert!(sender.poll_tones_sent());
    }
}
