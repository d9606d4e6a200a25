//! Samples to payloads, for every codec.

use audio_codec::Encoder as _;
use audio_codec::g722::G722Encoder;

use crate::{Codec, g711};

/// Effort of an Opus encoder that works for many, 0 to 10; above 5 the cost rises for little.
const OPUS_COMPLEXITY: i32 = 5;
/// Effort where it works for one, for a third of the cost. Speech of phones loses 0.2 to 0.7 dB of its ratio of signal to
/// noise. Opus sends nothing above 8 kHz then.
const OPUS_LEAST_COMPLEXITY: i32 = 1;
/// Target bit rate of Opus: wideband speech with its forward error correction.
const OPUS_BITS_PER_SECOND: i32 = 32_000;
/// Loss that the forward error correction of Opus is dimensioned for.
const OPUS_EXPECTED_LOSS_PERCENT: i32 = 10;

/// What an encoder should take pains with. Only Opus has a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Many hear what it makes.
    pub(crate) is_shared: bool,
    /// There may be sound above 8 kHz. Without any, all bits go to what is below.
    pub(crate) has_treble: bool,
}

/// The state that encoding needs.
pub(crate) enum Encoder {
    G722(Box<G722Encoder>),
    /// Nothing inside when the library had no memory for an encoder; such a leg sends nothing.
    Opus(Option<(opus::Encoder, Effort)>),
    Pcma,
    Pcmu,
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::G722 => Self::G722(Box::new(g722_encoder())),
            Codec::Opus => {
                let effort = Effort::default();
                Self::Opus(opus_encoder(effort).ok().map(|encoder| (encoder, effort)))
            }
            Codec::Pcma => Self::Pcma,
            Codec::Pcmu => Self::Pcmu,
        }
    }

    /// Encodes one frame's samples to the start of `out`; returns the number of octets, 0 on failure.
    pub(crate) fn encode(&mut self, samples: &[i16], out: &mut [u8], effort: Effort) -> usize {
        match self {
            Self::G722(encoder) => encoder.encode_into(samples, out).unwrap_or(0),
            Self::Opus(Some((encoder, current))) => {
                if *current != effort && set_effort(encoder, effort).is_ok() {
                    *current = effort;
                }
                encoder.encode(samples, out).unwrap_or(0)
            }
            Self::Opus(None) => 0,
            Self::Pcma => compress(samples, out, g711::a_encode),
            Self::Pcmu => compress(samples, out, g711::mu_encode),
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::G722(_) => "G722",
            Self::Opus(_) => "Opus",
            Self::Pcma => "Pcma",
            Self::Pcmu => "Pcmu",
        })
    }
}

/// An encoder whose scale factors are the smallest, as G.722 wants them at the start (32 and 8).
///
/// The crate's start larger; one octet of silence brings them there.
fn g722_encoder() -> G722Encoder {
    let mut encoder = G722Encoder::new();
    // Cannot fail: two samples are an octet.
    let _ = encoder.encode_into(&[0; 2], &mut [0; 1]);
    encoder
}

fn opus_encoder(effort: Effort) -> opus::Result<opus::Encoder> {
    let rate = Codec::Opus.sample_rate().hz();
    let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip)?;
    set_effort(&mut encoder, effort)?;
    encoder.set_bitrate(opus::Bitrate::Bits(OPUS_BITS_PER_SECOND))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(OPUS_EXPECTED_LOSS_PERCENT)?;
    // Silence is sent like sound: it keeps address bindings and the far end's timers alive.
    encoder.set_dtx(false)?;
    Ok(encoder)
}

fn set_effort(encoder: &mut opus::Encoder, effort: Effort) -> opus::Result<()> {
    // Above 8 kHz there is nothing with the least effort, whoever listens.
    let is_thorough = effort.is_shared || effort.has_treble;
    encoder.set_complexity(if is_thorough { OPUS_COMPLEXITY } else { OPUS_LEAST_COMPLEXITY })?;
    let widest = if effort.has_treble { opus::Bandwidth::Fullband } else { opus::Bandwidth::Wideband };
    encoder.set_max_bandwidth(widest)
}

fn compress(samples: &[i16], out: &mut [u8], encode: fn(i16) -> u8) -> usize {
    for (slot, sample) in out.iter_mut().zip(samples) {
        *slot = encode(*sample);
    }
    samples.len().min(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{amplitude_at, find, largest_step, rms, sine, snr_db, speech_like};
    use crate::decoder::Decoder;
    use proptest::prelude::*;

    const THOROUGH: Effort = Effort { is_shared: true, has_treble: true };

    fn round_trip(codec: Codec, samples: &[i16]) -> Vec<i16> {
        round_trip_with(codec, samples, |_| THOROUGH)
    }

    /// With so much effort for each frame.
    fn round_trip_with(codec: Codec, samples: &[i16], effort: impl Fn(usize) -> Effort) -> Vec<i16> {
        let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
        let mut all = Vec::new();
        for (number, chunk) in samples.chunks_exact(codec.frame_samples()).enumerate() {
            let (mut payload, mut out) = ([0; 512], [0; 960]);
            let octets = encoder.encode(chunk, &mut payload, effort(number));
            assert_eq!(decoder.payload_ticks(&payload[..octets]), Some(codec.frame_ticks()));
            assert_eq!(decoder.decode(&payload[..octets], &mut out), codec.frame_samples());
            all.extend_from_slice(&out[..codec.frame_samples()]);
        }
        all
    }

    #[test]
    fn g722_keeps_a_tone_of_either_band_and_its_delay_is_that_of_the_filters() {
        for (frequency, wanted_db) in [(1000.0, 30.0), (5500.0, 12.0)] {
            let tone = sine(frequency, 16_000, 8000.0, 16_000);
            let out = round_trip(Codec::G722, &tone);
            // Analysis and synthesis filter together delay by 22 samples (G.722, 24 taps each).
            let snr = snr_db(&tone[3000..12_000], &out[3022..12_022]);
            assert!(snr > wanted_db, "{frequency} Hz: {snr} dB");
            let level = amplitude_at(&out[4000..12_000], frequency, 16_000);
            assert!((level - 8000.0).abs() < 400.0, "{frequency} Hz: {level}");
        }
    }

    #[test]
    fn g722_decodes_every_code_as_another_implementation_does() {
        // The stream is of no meaning, but passes through all codes; the sum is of what FFmpeg 5.1
        // decodes from it, once the different first octet is forgotten.
        let mut state = 1_u32;
        let stream: Vec<u8> = (0..4000)
            .map(|_| {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7FFF_FFFF;
                (state >> 16) as u8
            })
            .collect();
        let mut out = [0; 8000];
        assert_eq!(Decoder::new(Codec::G722).decode(&stream, &mut out), 8000);
        let sum = out[6000..]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, octet| {
                (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01B3)
            });
        assert_eq!(sum, 0xF5E5_2EC6_228C_1FC9);
    }

    #[test]
    fn g722_carries_one_octet_for_two_samples() {
        let mut payload = [0; 512];
        assert_eq!(Encoder::new(Codec::G722).encode(&[0; 320], &mut payload, THOROUGH), 160);
        assert_eq!(Encoder::new(Codec::Pcmu).encode(&[0; 160], &mut payload, THOROUGH), 160);
    }

    #[test]
    fn opus_keeps_speech_recognisable_and_its_level() {
        let speech = speech_like(48_000, 960 * 100);
        let out = round_trip(Codec::Opus, &speech);
        let part = &speech[24_000..60_000];
        let found = find(part, &out).unwrap();
        assert!(found.correlation > 0.9, "{found:?}");
        assert!(found.offset.abs_diff(24_000) < 960, "{found:?}");
        let ratio = rms(&out[48_000..]) / rms(&speech[48_000..]);
        assert!((0.8..1.2).contains(&ratio), "{ratio}");
    }

    #[test]
    fn opus_silence_is_sent_as_a_packet_every_time() {
        let mut encoder = Encoder::new(Codec::Opus);
        let mut payload = [0; 512];
        assert!((0..200).all(|_| encoder.encode(&[0; 960], &mut payload, THOROUGH) > 2));
    }

    /// Speech of a phone at 48 kHz.
    fn phone_speech(seconds: usize) -> Vec<i16> {
        crate::resample(&speech_like(8000, 8000 * seconds), 8000, 48_000)
    }

    /// Of what Opus made of the sound, less its delay.
    fn opus_snr_db(speech: &[i16], out: &[i16]) -> f64 {
        let ratio = |delay: usize| snr_db(speech, &out[delay..]);
        (280..340).map(ratio).fold(f64::MIN, f64::max)
    }

    #[test]
    fn one_listener_hears_a_phone_through_opus_nearly_as_well_as_many_do() {
        let speech = phone_speech(6);
        let snr = |is_shared| {
            let effort = Effort { is_shared, has_treble: false };
            opus_snr_db(&speech, &round_trip_with(Codec::Opus, &speech, |_| effort))
        };
        let (one, many) = (snr(false), snr(true));
        assert!(one > 10.0 && many > one && many - one < 1.0, "{one} dB, {many} dB");
    }

    #[test]
    fn without_treble_phones_are_heard_no_worse_than_with_room_for_it() {
        let speech = phone_speech(6);
        let snr = |has_treble| {
            let effort = Effort { is_shared: true, has_treble };
            opus_snr_db(&speech, &round_trip_with(Codec::Opus, &speech, |_| effort))
        };
        let (narrow, wide) = (snr(false), snr(true));
        assert!(narrow >= wide, "{narrow} dB, {wide} dB");
    }

    #[test]
    fn opus_passes_treble_on_where_there_is_some() {
        let hiss = sine(11_000.0, 48_000, 4000.0, 48_000);
        let level = |effort| {
            let out = round_trip_with(Codec::Opus, &hiss, |_| effort);
            rms(&out[24_000..])
        };
        let alone = Effort { is_shared: false, has_treble: true };
        let levels = [alone, THOROUGH, Effort::default()].map(level);
        assert!(levels[0] > 1000.0 && levels[1] > 1000.0 && levels[2] < 100.0, "{levels:?}");
    }

    #[test]
    fn a_change_of_effort_is_not_heard() {
        let speech = speech_like(48_000, 48_000 * 6);
        let steady = round_trip(Codec::Opus, &speech);
        let all = [(false, false), (true, false), (true, true), (false, true)];
        let changing = round_trip_with(Codec::Opus, &speech, |number| {
            let (is_shared, has_treble) = all[number / 7 % 4];
            Effort { is_shared, has_treble }
        });
        let (steady_snr, snr) = (opus_snr_db(&speech, &steady), opus_snr_db(&speech, &changing));
        assert!(snr > steady_snr - 1.0, "{snr} dB, {steady_snr} dB");
        let step = f64::from(largest_step(&changing)) / f64::from(largest_step(&steady));
        assert!(step < 1.2, "steps grew {step} times");
    }

    proptest! {
        #[test]
        fn no_payload_makes_a_decoder_panic(payload in proptest::collection::vec(any::<u8>(), 0..480)) {
            for codec in [Codec::G722, Codec::Opus, Codec::Pcma, Codec::Pcmu] {
                let mut decoder = Decoder::new(codec);
                let mut out = [0; 5760];
                for _ in 0..3 {
                    if decoder.payload_ticks(&payload).is_some() {
                        prop_assert!(decoder.decode(&payload, &mut out) <= out.len());
                    }
                }
            }
        }
    }
}
