//! Offer and answer of one leg.

use std::net::SocketAddr;

use super::crypto::CryptoLine;
use super::describe::{Description, Format, Place, Stream};
use super::remote::{FormatKind, RemoteAudio, RemoteDescription, RemoteFormat, RemoteStream};
use super::{
    Direction, LocalKeys, LocalMedia, Negotiated, NegotiationError, OpusFormat, SrtpKeys, SrtpPolicy,
    TelephoneEvent,
};
use crate::Codec;
use crate::srtp::Suite;

/// Dynamic payload types of a first offer; arbitrary, but the ones that most phones use themselves.
const OPUS_PAYLOAD_TYPE: u8 = 111;
const EVENT_8K_PAYLOAD_TYPE: u8 = 101;
const EVENT_48K_PAYLOAD_TYPE: u8 = 110;

/// The number of levels in a first offer; arbitrary, but what browsers use.
const AUDIO_LEVEL_ID: u8 = 1;

/// Negotiates the audio stream of one leg, from its first description to its last.
///
/// Either [`Negotiator::offer`], then [`Negotiator::complete`] for every answer (provisional ones and those
/// of forks repeat it), or [`Negotiator::answer`]; in any order afterwards. The version in `o=` grows when
/// the text changes, and payload types and the order of streams stay what they were (RFC 3264, 8).
#[derive(Clone, Debug)]
pub struct Negotiator {
    local: LocalMedia,
    keys: LocalKeys,
    places: Vec<Place>,
    numbers: Numbers,
    version: u64,
    last_sent: Option<String>,
    has_offered: bool,
}

/// Which number each dynamic format, and the level of a packet, has on this leg.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    opus: u8,
    event_8k: u8,
    event_48k: u8,
    audio_level: u8,
}

/// The far end's offer measured against what we have.
struct Match {
    place: usize,
    codec: Codec,
    opus: OpusFormat,
    payload_type: u8,
    event: Option<(u8, u32)>,
    crypto: Option<CryptoLine>,
}

impl Negotiator {
    /// Starts with our side of the stream and the keys for our direction.
    pub fn new(local: LocalMedia, keys: LocalKeys) -> Self {
        let numbers = Numbers {
            opus: OPUS_PAYLOAD_TYPE,
            event_8k: EVENT_8K_PAYLOAD_TYPE,
            event_48k: EVENT_48K_PAYLOAD_TYPE,
            audio_level: AUDIO_LEVEL_ID,
        };
        let profile = if local.srtp == SrtpPolicy::Required { "RTP/SAVP" } else { "RTP/AVP" };
        let places = vec![Place::Audio { profile: profile.to_owned() }];
        Self { local, keys, places, numbers, version: 0, last_sent: None, has_offered: false }
    }

    /// Our side of the stream.
    pub fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Changes what the next description says: to hold (`SendOnly`, `Inactive`) or to resume.
    pub fn set_direction(&mut self, direction: Direction) {
        self.local.direction = direction;
    }

    /// Writes an offer with every codec of ours.
    pub fn offer(&mut self) -> String {
        let formats = self.all_formats();
        let crypto = match self.local.srtp {
            SrtpPolicy::Off => Vec::new(),
            SrtpPolicy::Optional | SrtpPolicy::Required => self.crypto_lines(),
        };
        self.has_offered = true;
        self.seal(Stream {
            formats: &formats,
            direction: self.local.direction,
            crypto: &crypto,
            has_rtcp_mux: false,
            audio_level: self.offered_level(),
        })
    }

    /// Reads the answer to the latest offer.
    ///
    /// # Errors
    ///
    /// Returns [`NegotiationError`]; the negotiator has not changed then and takes another answer.
    pub fn complete(&self, answer: &str) -> Result<Negotiated, NegotiationError> {
        if !self.has_offered {
            return Err(NegotiationError::NoOffer);
        }
        let remote = RemoteDescription::parse(answer)?;
        let own_place =
            self.places.iter().position(|place| matches!(place, Place::Audio { .. })).unwrap_or(0);
        let stream = remote.streams.get(own_place).ok_or(NegotiationError::NoAudio)?;
        if stream.port == 0 {
            return Err(NegotiationError::Refused);
        }
        let audio = stream.audio.as_ref().ok_or(NegotiationError::Profile)?;
        let crypto = self.answered_crypto(audio)?;
        let (format, codec, opus) = self.first_codec(audio).ok_or(NegotiationError::NoCodec)?;
        let event = self.event_for(audio, codec);
        let found = Match { place: own_place, codec, opus, payload_type: format.payload_type, event, crypto };
        let mut negotiated = self.agree(audio, &found)?;
        negotiated.receive_payload_type = self.number_of(codec);
        // An answer cannot add multiplexing that was not offered (RFC 5761, 5.1.1).
        negotiated.has_rtcp_mux = false;
        // Nor can it add levels, or give them another number (RFC 8285, 7).
        negotiated.audio_level = audio.audio_level.filter(|id| Some(*id) == self.offered_level());
        if let Some(event) = &mut negotiated.telephone_event {
            event.receive_payload_type = self.event_number(event.clock);
        }
        Ok(negotiated)
    }

    /// Answers an offer, first or later, and says what holds from then on.
    ///
    /// # Errors
    ///
    /// Returns [`NegotiationError`]; what was agreed before stays in force.
    pub fn answer(&mut self, offer: &str) -> Result<(Negotiated, String), NegotiationError> {
        let remote = RemoteDescription::parse(offer)?;
        let found = self.choose(&remote)?;
        let audio = remote.streams.get(found.place).and_then(|stream| stream.audio.as_ref());
        let negotiated = self.agree(audio.ok_or(NegotiationError::NoAudio)?, &found)?;
        self.places =
            remote.streams.iter().enumerate().map(|(at, stream)| place(at == found.place, stream)).collect();
        let mut formats = vec![Format::Codec(found.codec, found.payload_type)];
        formats
            .extend(found.event.map(|(payload_type, clock)| Format::TelephoneEvent { clock, payload_type }));
        self.numbers.adopt(&formats);
        let crypto: Vec<CryptoLine> = match (found.crypto, negotiated.srtp) {
            (Some(line), Some(keys)) => vec![CryptoLine { tag: line.tag, key: keys.local }],
            (_, _) => Vec::new(),
        };
        self.numbers.audio_level = negotiated.audio_level.unwrap_or(self.numbers.audio_level);
        let text = self.seal(Stream {
            formats: &formats,
            direction: negotiated.direction,
            crypto: &crypto,
            has_rtcp_mux: negotiated.has_rtcp_mux,
            audio_level: negotiated.audio_level,
        });
        Ok((negotiated, text))
    }

    /// Takes the first stream that suits, protected ones first; names the obstacle of the first where none
    /// does.
    fn choose(&self, remote: &RemoteDescription) -> Result<Match, NegotiationError> {
        let mut streams: Vec<(usize, &RemoteAudio)> =
            remote.streams.iter().enumerate().filter_map(live).collect();
        if self.local.srtp != SrtpPolicy::Off {
            streams.sort_by_key(|(_, audio)| !audio.is_secure);
        }
        let mut obstacle = None;
        for (place, audio) in streams {
            match self.suits(place, audio) {
                Ok(found) => return Ok(found),
                Err(error) => obstacle = obstacle.or(Some(error)),
            }
        }
        Err(obstacle.unwrap_or(NegotiationError::NoAudio))
    }

    fn suits(&self, place: usize, audio: &RemoteAudio) -> Result<Match, NegotiationError> {
        let crypto = self.offered_crypto(audio)?;
        let (format, codec, opus) = self.first_codec(audio).ok_or(NegotiationError::NoCodec)?;
        self.reachable(audio)?;
        let event = self.event_for(audio, codec);
        Ok(Match { place, codec, opus, payload_type: format.payload_type, event, crypto })
    }

    fn offered_crypto(&self, audio: &RemoteAudio) -> Result<Option<CryptoLine>, NegotiationError> {
        match self.local.srtp {
            SrtpPolicy::Off if audio.is_secure => Err(NegotiationError::Srtp),
            SrtpPolicy::Off => Ok(None),
            SrtpPolicy::Optional | SrtpPolicy::Required => match audio.crypto.first() {
                Some(line) => Ok(Some(*line)),
                None if audio.is_secure => Err(NegotiationError::NoKey),
                None if self.local.srtp == SrtpPolicy::Required => Err(NegotiationError::Srtp),
                None => Ok(None),
            },
        }
    }

    /// The line of the answer must repeat tag and suite of one of ours (RFC 4568, 5.1.3).
    fn answered_crypto(&self, audio: &RemoteAudio) -> Result<Option<CryptoLine>, NegotiationError> {
        let was_secure = self.places.iter().any(|place| {
            matches!(place, Place::Audio { profile } if profile.to_ascii_uppercase().starts_with("RTP/SAVP"))
        });
        if audio.is_secure && self.local.srtp == SrtpPolicy::Off {
            return Err(NegotiationError::Profile);
        }
        if was_secure && !audio.is_secure {
            return Err(NegotiationError::Profile);
        }
        if self.local.srtp == SrtpPolicy::Off || (!audio.has_crypto && !audio.is_secure) {
            return if self.local.srtp == SrtpPolicy::Required {
                Err(NegotiationError::Srtp)
            } else {
                Ok(None)
            };
        }
        let ours = self.crypto_lines();
        let same = |line: &&CryptoLine| {
            ours.iter().any(|own| own.tag == line.tag && own.key.suite() == line.key.suite())
        };
        audio.crypto.iter().find(same).copied().map(Some).ok_or(NegotiationError::NoKey)
    }

    fn first_codec(&self, audio: &RemoteAudio) -> Option<(RemoteFormat, Codec, OpusFormat)> {
        audio.formats.iter().find_map(|format| match format.kind {
            FormatKind::Codec(codec, opus) if self.local.codecs.contains(&codec) => {
                Some((*format, codec, opus))
            }
            FormatKind::Codec(..) | FormatKind::TelephoneEvent { .. } | FormatKind::Unknown => None,
        })
    }

    /// Tones share the codec's clock (RFC 4733, 2.1); phones that offer 8 kHz events beside Opus get those.
    fn event_for(&self, audio: &RemoteAudio, codec: Codec) -> Option<(u8, u32)> {
        if !self.local.has_telephone_event {
            return None;
        }
        let events = || {
            audio.formats.iter().filter_map(|format| match format.kind {
                FormatKind::TelephoneEvent { clock } => Some((format.payload_type, clock)),
                FormatKind::Codec(..) | FormatKind::Unknown => None,
            })
        };
        let known = |clock: u32| clock == 8_000 || clock == 48_000;
        events()
            .find(|(_, clock)| *clock == codec.rtp_clock())
            .or_else(|| events().find(|(_, clock)| known(*clock)))
    }

    fn agree(&self, audio: &RemoteAudio, found: &Match) -> Result<Negotiated, NegotiationError> {
        let remote_rtp = self.reachable(audio)?;
        let srtp = found.crypto.map(|line| self.srtp_keys(&line)).transpose()?;
        Ok(Negotiated {
            remote_rtp,
            remote_rtcp: audio.rtcp.unwrap_or(remote_rtp),
            has_rtcp_mux: audio.has_rtcp_mux,
            codec: found.codec,
            payload_type: found.payload_type,
            receive_payload_type: found.payload_type,
            telephone_event: found.event.map(|(payload_type, clock)| TelephoneEvent {
                payload_type,
                receive_payload_type: payload_type,
                clock,
            }),
            direction: self.local.direction.meet(audio.direction),
            srtp,
            ptime_ms: audio.ptime_ms,
            opus: found.opus,
            audio_level: audio.audio_level,
        })
    }

    fn reachable(&self, audio: &RemoteAudio) -> Result<SocketAddr, NegotiationError> {
        let rtp = audio.rtp.ok_or(NegotiationError::Address)?;
        if rtp.is_ipv4() == self.local.rtp.is_ipv4() { Ok(rtp) } else { Err(NegotiationError::Address) }
    }

    fn srtp_keys(&self, line: &CryptoLine) -> Result<SrtpKeys, NegotiationError> {
        let suite = line.key.suite();
        let local = self.keys.master(suite).ok_or(NegotiationError::NoKey)?;
        Ok(SrtpKeys { suite, local, remote: line.key })
    }

    fn crypto_lines(&self) -> Vec<CryptoLine> {
        let keys = Suite::ALL.into_iter().filter_map(|suite| self.keys.master(suite));
        (1u32..).zip(keys).map(|(tag, key)| CryptoLine { tag, key }).collect()
    }

    fn all_formats(&self) -> Vec<Format> {
        let codecs = &self.local.codecs;
        let mut formats: Vec<Format> =
            codecs.iter().map(|codec| Format::Codec(*codec, self.number_of(*codec))).collect();
        if self.local.has_telephone_event {
            for clock in [48_000, 8_000] {
                if codecs.iter().any(|codec| codec.rtp_clock() == clock) {
                    formats.push(Format::TelephoneEvent { clock, payload_type: self.event_number(clock) });
                }
            }
        }
        formats
    }

    fn number_of(&self, codec: Codec) -> u8 {
        codec.static_payload_type().unwrap_or(self.numbers.opus)
    }

    fn event_number(&self, clock: u32) -> u8 {
        if clock == 48_000 { self.numbers.event_48k } else { self.numbers.event_8k }
    }

    /// Levels are asked for unless sound must be protected: SRTP leaves them in the clear (RFC 6464, Security Considerations). Whoever offers
    /// them has chosen that itself.
    fn offered_level(&self) -> Option<u8> {
        (self.local.srtp != SrtpPolicy::Required).then_some(self.numbers.audio_level)
    }

    fn seal(&mut self, stream: Stream<'_>) -> String {
        let description = Description { local: &self.local, places: &self.places, stream };
        let same = description.write(self.version);
        if self.last_sent.as_ref() == Some(&same) {
            return same;
        }
        self.version += 1;
        let text = description.write(self.version);
        self.last_sent = Some(text.clone());
        text
    }
}

impl Numbers {
    /// Keeps the far end's numbers for later offers of ours; a number that it took from another format is
    /// swapped.
    fn adopt(&mut self, formats: &[Format]) {
        for format in formats {
            let (slot, payload_type): (fn(&mut Self) -> &mut u8, u8) = match *format {
                Format::Codec(Codec::Opus, payload_type) => (|own| &mut own.opus, payload_type),
                Format::Codec(Codec::G722 | Codec::Pcma | Codec::Pcmu, _) => continue,
                Format::TelephoneEvent { clock: 48_000, payload_type } => {
                    (|own| &mut own.event_48k, payload_type)
                }
                Format::TelephoneEvent { payload_type, .. } => (|own| &mut own.event_8k, payload_type),
            };
            let old = *slot(self);
            for other in [&mut self.opus, &mut self.event_8k, &mut self.event_48k] {
                if *other == payload_type {
                    *other = old;
                }
            }
            *slot(self) = payload_type;
        }
    }
}

fn live((at, stream): (usize, &RemoteStream)) -> Option<(usize, &RemoteAudio)> {
    stream.audio.as_ref().filter(|_| stream.port != 0).map(|audio| (at, audio))
}

fn place(is_audio: bool, stream: &RemoteStream) -> Place {
    let profile = stream.profile.clone();
    if is_audio {
        return Place::Audio { profile };
    }
    Place::Refused { media: stream.media.clone(), profile, formats: stream.formats.clone() }
}
