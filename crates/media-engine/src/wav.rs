//! WAV files: a reader for what bots offer as prompts, and a writer for recordings.

use std::time::Duration;

use crate::g711;
use crate::resample::to_i16;

/// Octets of the header that [`wav_header`] writes.
pub const WAV_HEADER_BYTES: usize = 44;

/// Format tags of the `fmt ` chunk.
const TAG_PCM: u16 = 1;
const TAG_FLOAT: u16 = 3;
const TAG_A_LAW: u16 = 6;
const TAG_MU_LAW: u16 = 7;
/// The real tag stands in the first two octets of the sub-format.
const TAG_EXTENSIBLE: u16 = 0xFFFE;
/// Chunks that are looked at before the file counts as nonsense.
const MAX_CHUNKS: usize = 64;
/// A writer that could not seek back leaves this as the length of the data.
const UNKNOWN_LENGTH: usize = u32::MAX as usize;
/// Rates that are accepted, in Hz: telephone to studio.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// How large a WAV file may be.
#[derive(Clone, Copy, Debug)]
pub struct WavLimits {
    /// Octets of the whole file.
    pub max_bytes: usize,
    /// Playing time.
    pub max_duration: Duration,
}

impl WavLimits {
    /// What a prompt may be: ten minutes of the documented format take 19 MB.
    pub const PROMPT: Self = Self { max_bytes: 20 << 20, max_duration: Duration::from_secs(600) };
}

/// Why a WAV file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// The sizes of the `fmt ` chunk contradict each other.
    #[error("a block of {channels} channels of {bits} bits cannot have {block_align} bytes")]
    BlockAlign {
        /// Channels claimed.
        channels: u16,
        /// Bits of a sample claimed.
        bits: u16,
        /// Octets of a block claimed.
        block_align: u16,
    },
    /// Neither mono nor stereo.
    #[error("{0} channels are not supported; use mono")]
    Channels(u16),
    /// There is not one sample.
    #[error("the file holds no samples")]
    Empty,
    /// The codec or the width of its samples is not supported.
    #[error("format tag {tag} with {bits} bits is not supported; use 16-bit PCM")]
    Encoding {
        /// Format tag.
        tag: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// No usable `fmt ` chunk before the data.
    #[error("the format chunk is missing or too short")]
    Format,
    /// No `data` chunk.
    #[error("the data chunk is missing")]
    NoData,
    /// The file does not begin as a WAV file does.
    #[error("not a RIFF/WAVE file")]
    NotWave,
    /// The sampling rate is out of range.
    #[error("a sampling rate of {0} Hz is not supported")]
    Rate(u32),
    /// More octets than allowed.
    #[error("the file has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Octets of the file.
        bytes: usize,
        /// Octets allowed.
        limit: usize,
    },
    /// Plays longer than allowed.
    #[error("the sound lasts {} s, more than the {} s allowed", .seconds, .limit.as_secs())]
    TooLong {
        /// Playing time in seconds, rounded up.
        seconds: u64,
        /// Time allowed.
        limit: Duration,
    },
    /// The file ends before its chunks do.
    #[error("the file is cut off: {expected} bytes of sound promised, {present} present")]
    Truncated {
        /// Octets that the data chunk promises.
        expected: usize,
        /// Octets that there are.
        present: usize,
    },
}

/// What a WAV file holds, as mono.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavAudio {
    /// Sampling rate in Hz, 4,000 to 192,000.
    pub rate_hz: u32,
    /// Samples; stereo is averaged.
    pub samples: Vec<i16>,
}

/// Reads a WAV file: PCM of 8, 16, 24 or 32 bits, float, or G.711 (format tags 1, 3, 6, 7), mono or stereo.
///
/// # Errors
///
/// Returns the first reason in [`WavError`] why the file cannot be played.
pub fn read_wav(file: &[u8], limits: &WavLimits) -> Result<WavAudio, WavError> {
    if file.len() > limits.max_bytes {
        return Err(WavError::TooLarge { bytes: file.len(), limit: limits.max_bytes });
    }
    let (format, sound) = find_chunks(file)?;
    let format = Format::parse(format)?;
    let blocks = sound.len() / usize::from(format.block_align);
    if blocks == 0 {
        return Err(WavError::Empty);
    }
    let seconds = (blocks as u64).div_ceil(u64::from(format.rate_hz));
    if blocks as u64 * 1000 > limits.max_duration.as_millis() as u64 * u64::from(format.rate_hz) {
        return Err(WavError::TooLong { seconds, limit: limits.max_duration });
    }
    let samples = sound.chunks_exact(usize::from(format.block_align)).map(|block| format.mono(block));
    Ok(WavAudio { rate_hz: format.rate_hz, samples: samples.collect() })
}

/// The contents of the `fmt ` and of the `data` chunk.
fn find_chunks(file: &[u8]) -> Result<(&[u8], &[u8]), WavError> {
    let (Some(b"RIFF"), Some(b"WAVE"), Some(mut rest)) = (file.get(..4), file.get(8..12), file.get(12..))
    else {
        return Err(WavError::NotWave);
    };
    let mut format = None;
    for _ in 0..MAX_CHUNKS {
        let Some((header, body)) = rest.split_at_checked(8) else { break };
        let length = le_u32(header, 4).unwrap_or(0) as usize;
        match (header.get(..4), format) {
            (Some(b"data"), None) => return Err(WavError::Format),
            (Some(b"data"), Some(format)) if length == UNKNOWN_LENGTH => return Ok((format, body)),
            (Some(b"data"), Some(format)) => {
                let cut_off = WavError::Truncated { expected: length, present: body.len() };
                return body.get(..length).map(|sound| (format, sound)).ok_or(cut_off);
            }
            (Some(b"fmt "), _) => format = Some(body.get(..length).ok_or(WavError::Format)?),
            (_, _) => {}
        }
        // Chunks begin at even offsets.
        let Some(next) = length.checked_add(length & 1).and_then(|skip| body.get(skip..)) else { break };
        rest = next;
    }
    Err(if format.is_some() { WavError::NoData } else { WavError::Format })
}

/// How one sample is written.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    ALaw,
    Float32,
    Float64,
    MuLaw,
    Pcm16,
    Pcm24,
    Pcm32,
    /// The only width without a sign.
    Pcm8,
}

#[derive(Clone, Copy, Debug)]
struct Format {
    encoding: Encoding,
    channels: u16,
    rate_hz: u32,
    block_align: u16,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, WavError> {
        let field = |at| le_u16(chunk, at).ok_or(WavError::Format);
        let (written_tag, channels, block_align, bits) = (field(0)?, field(2)?, field(12)?, field(14)?);
        let rate_hz = le_u32(chunk, 4).ok_or(WavError::Format)?;
        let tag = if written_tag == TAG_EXTENSIBLE { field(24)? } else { written_tag };
        let encoding = match (tag, bits) {
            (TAG_PCM, 8) => Encoding::Pcm8,
            (TAG_PCM, 16) => Encoding::Pcm16,
            (TAG_PCM, 24) => Encoding::Pcm24,
            (TAG_PCM, 32) => Encoding::Pcm32,
            (TAG_FLOAT, 32) => Encoding::Float32,
            (TAG_FLOAT, 64) => Encoding::Float64,
            (TAG_A_LAW, 8) => Encoding::ALaw,
            (TAG_MU_LAW, 8) => Encoding::MuLaw,
            (_, _) => return Err(WavError::Encoding { tag, bits }),
        };
        if !matches!(channels, 1 | 2) {
            return Err(WavError::Channels(channels));
        }
        if !RATES.contains(&rate_hz) {
            return Err(WavError::Rate(rate_hz));
        }
        if block_align != channels * (bits / 8) {
            return Err(WavError::BlockAlign { channels, bits, block_align });
        }
        Ok(Self { encoding, channels, rate_hz, block_align })
    }

    /// The average of a block's channels.
    fn mono(self, block: &[u8]) -> i16 {
        let width = usize::from(self.block_align / self.channels);
        let sum: i32 = block.chunks_exact(width).map(|bytes| i32::from(self.sample(bytes))).sum();
        (sum / i32::from(self.channels)) as i16
    }

    fn sample(self, bytes: &[u8]) -> i16 {
        match (self.encoding, bytes) {
            (Encoding::Pcm8, [a]) => (i16::from(*a) - 128) << 8,
            (Encoding::ALaw, [a]) => g711::a_decode(*a),
            (Encoding::MuLaw, [a]) => g711::mu_decode(*a),
            (Encoding::Pcm16, [a, b]) | (Encoding::Pcm24, [_, a, b]) | (Encoding::Pcm32, [_, _, a, b]) => {
                i16::from_le_bytes([*a, *b])
            }
            (Encoding::Float32, [a, b, c, d]) => to_i16(f32::from_le_bytes([*a, *b, *c, *d]) * 32_767.0),
            (Encoding::Float64, [a, b, c, d, e, f, g, h]) => {
                to_i16(f64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as f32 * 32_767.0)
            }
            (_, _) => 0,
        }
    }
}

/// The header of a mono 16-bit PCM file with `samples` samples; the samples follow it, little end first.
///
/// A file that is still being written begins with the header for 0 samples, and gets its final one at the end.
#[must_use]
pub fn wav_header(rate_hz: u32, samples: u32) -> [u8; WAV_HEADER_BYTES] {
    let data_bytes = samples.saturating_mul(2);
    let mut header = [0; WAV_HEADER_BYTES];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &data_bytes.saturating_add(WAV_HEADER_BYTES as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &TAG_PCM.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &rate_hz.saturating_mul(2).to_le_bytes(),
        &2_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data_bytes.to_le_bytes(),
    ];
    for (slot, byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *slot = *byte;
    }
    header
}

/// A whole mono 16-bit PCM file.
#[must_use]
pub fn wav_file(rate_hz: u32, samples: &[i16]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let body = samples.iter().flat_map(|x| x.to_le_bytes());
    wav_header(rate_hz, count).into_iter().chain(body).collect()
}

/// Puts the final lengths into a file that begins with a header of [`wav_header`]; false when it is shorter.
pub fn finish_wav(file: &mut [u8], rate_hz: u32) -> bool {
    let samples = file.len().saturating_sub(WAV_HEADER_BYTES) / 2;
    let header = wav_header(rate_hz, u32::try_from(samples).unwrap_or(u32::MAX));
    match file.get_mut(..WAV_HEADER_BYTES) {
        Some(start) => {
            start.copy_from_slice(&header);
            true
        }
        None => false,
    }
}

fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: WavLimits = WavLimits { max_bytes: 1 << 20, max_duration: Duration::from_secs(10) };

    fn file(tag: u16, channels: u16, rate: u32, bits: u16, sound: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend(tag.to_le_bytes());
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend(0_u32.to_le_bytes());
        file.extend((channels * bits / 8).to_le_bytes());
        file.extend(bits.to_le_bytes());
        file.extend(b"LIST\x03\0\0\0abc\0data");
        file.extend((sound.len() as u32).to_le_bytes());
        file.extend(sound);
        file
    }

    fn samples(tag: u16, channels: u16, bits: u16, sound: &[u8]) -> Vec<i16> {
        read_wav(&file(tag, channels, 16_000, bits, sound), &LIMITS).unwrap().samples
    }

    #[test]
    fn every_encoding_is_read() {
        assert_eq!(samples(1, 1, 16, &[1, 0, 0xFF, 0xFF]), [1, -1]);
        assert_eq!(samples(1, 1, 8, &[128, 255, 0]), [0, 32_512, -32_768]);
        assert_eq!(samples(1, 1, 24, &[9, 1, 0, 9, 0, 0x80]), [1, -32_768]);
        assert_eq!(samples(1, 1, 32, &[9, 9, 1, 0]), [1]);
        assert_eq!(samples(6, 1, 8, &[0xD5, 0xAA]), [8, 32_256]);
        assert_eq!(samples(7, 1, 8, &[0xFF, 0x80]), [0, 32_124]);
        let float: Vec<u8> = [0.5_f32, -2.0, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(samples(3, 1, 32, &float), [16_384, -32_768, 0]);
        assert_eq!(samples(3, 1, 64, &(-0.5_f64).to_le_bytes()), [-16_384]);
    }

    #[test]
    fn stereo_is_averaged() {
        assert_eq!(samples(1, 2, 16, &[100, 0, 50, 0, 0xFF, 0x7F, 0xFF, 0x7F]), [75, 32_767]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sound: Vec<i16> = (-500..500).map(|x| x * 60).collect();
        let written = wav_file(16_000, &sound);
        assert_eq!(written.len(), 44 + 2000);
        assert_eq!(read_wav(&written, &LIMITS), Ok(WavAudio { rate_hz: 16_000, samples: sound }));
    }

    #[test]
    fn finishing_a_growing_file_fixes_its_lengths() {
        let mut growing = wav_header(16_000, 0).to_vec();
        growing.extend([1, 0, 2, 0, 3, 0]);
        assert!(finish_wav(&mut growing, 16_000));
        assert_eq!(growing, wav_file(16_000, &[1, 2, 3]));
        assert!(!finish_wav(&mut [0; 43], 16_000));
    }

    #[test]
    fn a_streamed_file_of_unknown_length_is_read_to_its_end() {
        let mut streamed = file(1, 1, 8000, 16, &[1, 0, 2, 0]);
        let at = streamed.len() - 8;
        streamed[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read_wav(&streamed, &LIMITS).unwrap().samples, [1, 2]);
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let good = file(1, 1, 16_000, 16, &[0; 640]);
        let error = |file: &[u8]| read_wav(file, &LIMITS).unwrap_err();
        assert_eq!(error(b"ID3 this is not a wave file"), WavError::NotWave);
        assert_eq!(error(&good[..20]), WavError::Format);
        assert_eq!(error(&good[..38]), WavError::NoData);
        assert_eq!(error(&good[..good.len() - 1]), WavError::Truncated { expected: 640, present: 639 });
        assert_eq!(error(&file(1, 1, 16_000, 16, &[0])), WavError::Empty);
        assert_eq!(error(&file(1, 6, 16_000, 16, &[0; 12])), WavError::Channels(6));
        assert_eq!(error(&file(1, 1, 400, 16, &[0; 12])), WavError::Rate(400));
        assert_eq!(error(&file(0x55, 1, 16_000, 16, &[0; 12])), WavError::Encoding { tag: 0x55, bits: 16 });
        assert_eq!(error(&file(1, 1, 16_000, 12, &[0; 12])), WavError::Encoding { tag: 1, bits: 12 });
        assert_eq!(
            error(&file(1, 1, 4_000, 16, &[0; 80_002])),
            WavError::TooLong { seconds: 11, limit: LIMITS.max_duration }
        );
        assert_eq!(
            error(&vec![0; (1 << 20) + 1]),
            WavError::TooLarge { bytes: (1 << 20) + 1, limit: 1 << 20 }
        );
        let mut askew = good;
        askew[32] = 3;
        assert_eq!(error(&askew), WavError::BlockAlign { channels: 1, bits: 16, block_align: 3 });
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_wav(&bytes, &LIMITS);
        }

        #[test]
        fn no_damage_to_a_good_file_makes_the_reader_panic(at in 0_usize..80, to in any::<u8>(), cut in 0_usize..90) {
            let mut bytes = file(1, 2, 16_000, 16, &[7; 32]);
            if let Some(byte) = bytes.get_mut(at) { *byte = to; }
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Ok(audio) = read_wav(&bytes, &LIMITS) {
                prop_assert!(!audio.samples.is_empty());
            }
        }
    }
}
