//! What is heard, as messages to the application.

use std::collections::BTreeMap;

use model::ParticipantId;

use crate::convert::Converter;
use crate::encode::{Encoder, Outgoing, Person, Piece};
use crate::format::Rate;
use crate::port::{Heard, Source};

/// Participants whose filters are kept; whoever was not heard for longest is forgotten first. More than can be heard at
/// once.
const MAX_CONVERTERS: usize = 32;

/// Converts what is heard to the socket's rate.
#[derive(Debug)]
pub(crate) struct Capture {
    rate: Rate,
    mixed: Option<Converter>,
    people: BTreeMap<ParticipantId, (u64, Converter)>,
    out: Vec<i16>,
}

impl Capture {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, mixed: None, people: BTreeMap::new(), out: vec![0; rate.frame_samples()] }
    }

    /// Writes a frame as a message.
    pub(crate) fn message(
        &mut self,
        heard: &Heard<'_>,
        roster: &[Person],
        encoder: &mut Encoder,
    ) -> Outgoing {
        let (from_hz, to_hz) = (heard.frame.rate().hz(), self.rate.hz());
        let speaker = match heard.source {
            Source::Mixed => None,
            Source::Participant(id) => Some(person(id, roster)),
        };
        let samples = if from_hz == to_hz {
            heard.frame.samples()
        } else {
            let mut out = std::mem::take(&mut self.out);
            self.converter(heard, from_hz).convert(heard.frame.samples(), &mut out);
            self.out = out;
            &self.out
        };
        let (timestamp_48k, is_silent) = (heard.timestamp_48k, heard.is_silent);
        encoder.audio(&Piece { speaker, timestamp_48k, samples, is_silent })
    }

    /// The converter of that source, made when it is needed first or its rate changes.
    fn converter(&mut self, heard: &Heard<'_>, from_hz: u32) -> &mut Converter {
        let to_hz = self.rate.hz();
        let fresh = || Converter::new(from_hz, to_hz);
        let converter = match heard.source {
            Source::Mixed => self.mixed.get_or_insert_with(fresh),
            Source::Participant(id) => {
                if self.people.len() >= MAX_CONVERTERS && !self.people.contains_key(&id) {
                    let oldest = self.people.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
                    oldest.and_then(|id| self.people.remove(&id));
                }
                let (used, converter) = self.people.entry(id).or_insert_with(|| (0, fresh()));
                *used = heard.timestamp_48k;
                converter
            }
        };
        if !converter.is_between(from_hz, to_hz) {
            *converter = fresh();
        }
        converter
    }
}

/// The roster's entry of a participant; one who is not there has no number.
pub(crate) fn person(id: ParticipantId, roster: &[Person]) -> Person {
    let found = roster.iter().find(|person| person.participant == id).copied();
    found.unwrap_or(Person { participant: id, source_id: 0 })
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::{amplitude_at, sine};
    use media_engine::{Frame, SampleRate};
    use uuid::Uuid;

    use super::*;
    use crate::encode::BINARY_HEADER_OCTETS;
    use crate::format::{Channels, Dialect, Format};

    fn samples(message: &Outgoing) -> Vec<i16> {
        let Outgoing::Binary(octets) = message else { panic!("{message:?}") };
        let (pairs, _) = octets[BINARY_HEADER_OCTETS..].as_chunks::<2>();
        pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }

    #[test]
    fn each_source_keeps_its_own_tone_whatever_rates_it_changes_to() {
        let rate = Rate::Hz24000;
        let format = Format { dialect: Dialect::Hookswitch, rate, channels: Channels::Both };
        let (mut capture, mut encoder) = (Capture::new(rate), Encoder::new(format));
        let sources: Vec<_> = [Source::Mixed]
            .into_iter()
            .chain((1..=5).map(|n| Source::Participant(Uuid::from_u128(n).into())))
            .collect();
        for from in [SampleRate::Hz8000, SampleRate::Hz48000] {
            let mut heard_by_source = vec![Vec::new(); sources.len()];
            for tick in 0..50 {
                for (n, source) in sources.iter().enumerate() {
                    let tone = sine(500.0 + 200.0 * n as f64, from.hz(), 8_000.0, from.hz() as usize);
                    let mut frame = Frame::silence(from);
                    let start = tick * from.frame_samples();
                    frame.samples_mut().copy_from_slice(&tone[start..start + from.frame_samples()]);
                    let heard = Heard {
                        source: *source,
                        timestamp_48k: tick as u64,
                        frame: &frame,
                        is_silent: false,
                    };
                    let message = capture.message(&heard, &[], &mut encoder);
                    heard_by_source[n].extend(samples(&message));
                }
            }
            for (n, all) in heard_by_source.iter().enumerate() {
                for (m, _) in sources.iter().enumerate() {
                    let level = amplitude_at(&all[4800..19_200], 500.0 + 200.0 * m as f64, 24_000);
                    let is_right = if n == m { (level - 8_000.0).abs() < 200.0 } else { level < 50.0 };
                    assert!(is_right, "source {n} at {from:?} has {level} of tone {m}");
                }
            }
        }
    }

    #[test]
    fn filters_of_participants_are_bounded() {
        let format = Format { dialect: Dialect::Hookswitch, ..Format::default() };
        let (mut capture, mut encoder) = (Capture::new(format.rate), Encoder::new(format));
        let frame = Frame::silence(SampleRate::Hz48000);
        for n in 0..100 {
            let source = Source::Participant(Uuid::from_u128(u128::from(n)).into());
            let heard = Heard { source, timestamp_48k: n, frame: &frame, is_silent: true };
            capture.message(&heard, &[], &mut encoder);
        }
        assert_eq!(capture.people.len(), MAX_CONVERTERS);
        assert!(capture.people.contains_key(&Uuid::from_u128(99).into()));
    }
}
