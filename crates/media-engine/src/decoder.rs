//! Payloads to samples, for every codec.

use audio_codec::g722::G722Decoder;

use crate::{Codec, g711};

/// Opus makes lost sound up in steps of 10 ms; shorter ones would be cut from such and not go on smoothly.
pub(crate) const OPUS_STEP: usize = 480;

/// The state that decoding needs.
pub(crate) enum Decoder {
    G722(Box<G722Decoder>),
    /// Nothing inside when the library had no memory for a decoder; such a leg stays silent.
    Opus(Option<opus::Decoder>),
    Pcma,
    Pcmu,
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::G722 => Self::G722(Box::new(g722_decoder())),
            Codec::Opus => {
                Self::Opus(opus::Decoder::new(codec.sample_rate().hz(), opus::Channels::Mono).ok())
            }
            Codec::Pcma => Self::Pcma,
            Codec::Pcmu => Self::Pcmu,
        }
    }

    /// Forgets the past, for a new source.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::G722(decoder) => **decoder = g722_decoder(),
            Self::Opus(Some(decoder)) => {
                // Only fails on a broken decoder, which then decodes nothing either.
                let _ = decoder.reset_state();
            }
            Self::Opus(None) | Self::Pcma | Self::Pcmu => {}
        }
    }

    /// Timestamp units that a payload covers; nothing when it is no payload of this codec.
    pub(crate) fn payload_ticks(&self, payload: &[u8]) -> Option<u32> {
        let ticks = match self {
            Self::G722(_) | Self::Pcma | Self::Pcmu => payload.len(),
            Self::Opus(_) => opus::packet::get_nb_samples(payload, Codec::Opus.clock_rate()).ok()?,
        };
        u32::try_from(ticks).ok().filter(|t| *t > 0)
    }

    /// Decodes a payload to the start of `out`; returns the number of samples.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::G722(decoder) => decoder.decode_frame_into(payload, out).unwrap_or(0),
            Self::Opus(Some(decoder)) => decoder.decode(payload, out, false).unwrap_or(0),
            Self::Opus(None) => 0,
            Self::Pcma => expand(payload, out, g711::a_decode),
            Self::Pcmu => expand(payload, out, g711::mu_decode),
        }
    }

    /// True when a payload says of itself that nobody speaks in it; where it does not say, false.
    ///
    /// Opus carries the verdict of the encoder's voice detector in its modes for speech, as the first bits of a frame
    /// (RFC 6716, 4.2.3), one for each 20 ms.
    pub(crate) fn is_unvoiced(&self, payload: &[u8]) -> bool {
        let (Self::Opus(Some(_)), Some((toc, frame))) = (self, payload.split_first()) else { return false };
        // One frame of one channel, with at most 20 ms: what everybody sends.
        let is_customary = matches!(toc >> 3, 0 | 1 | 4 | 5 | 8 | 9 | 12..=15) && toc & 7 == 0;
        is_customary && frame.first().is_none_or(|bits| bits & 0x80 == 0)
    }

    /// True when the codec makes up lost sound itself.
    pub(crate) fn conceals(&self) -> bool {
        matches!(self, Self::Opus(Some(_)))
    }

    /// Fills `out`, a multiple of [`OPUS_STEP`] long, with made-up sound: from the copy of the past that `next`, the
    /// packet after the gap, may carry, else from what was decoded last.
    pub(crate) fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> usize {
        match self {
            Self::Opus(Some(decoder)) => {
                decoder.decode(next.unwrap_or_default(), out, next.is_some()).unwrap_or(0)
            }
            Self::G722(_) | Self::Opus(None) | Self::Pcma | Self::Pcmu => 0,
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::G722(_) => "G722",
            Self::Opus(_) => "Opus",
            Self::Pcma => "Pcma",
            Self::Pcmu => "Pcmu",
        })
    }
}

/// A decoder whose scale factors are the smallest, as G.722 wants them at the start (32 and 8).
///
/// The crate's start at zero; one octet of the smallest steps brings them there.
fn g722_decoder() -> G722Decoder {
    let mut decoder = G722Decoder::new();
    // Cannot fail: an octet is two samples.
    let _ = decoder.decode_frame_into(&[0xFF], &mut [0; 2]);
    decoder
}

fn expand(payload: &[u8], out: &mut [i16], decode: fn(u8) -> i16) -> usize {
    for (slot, octet) in out.iter_mut().zip(payload) {
        *slot = decode(*octet);
    }
    payload.len().min(out.len())
}
