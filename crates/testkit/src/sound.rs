//! Sounds that are found again by correlation.

use std::f32::consts::TAU;

use media_engine::analysis::{Match, find};
use media_engine::{WavAudio, WavLimits, read_wav};

/// Loudness: far above any silence detection, far below clipping.
const AMPLITUDE: f32 = 8_000.0;
/// Length of a note; whole samples at every usual rate.
const NOTE_MILLIS: u32 = 150;

/// Notes without end that hardly repeat; another seed is another melody, another rate the same one.
pub fn melody(seed: u32, millis: u32, rate_hz: u32) -> Vec<i16> {
    let length = (u64::from(millis) * u64::from(rate_hz) / 1000) as u32;
    let note_length = rate_hz * NOTE_MILLIS / 1000;
    let mut state = seed;
    let mut hz = 0.0;
    let sample = |n: u32| {
        let at = n % note_length;
        if at == 0 {
            // Numbers of Numerical Recipes' quick generator; what matters is that notes differ.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            hz = 200.0 + (state >> 16) as f32 % 400.0;
        }
        let phase = TAU * hz * at as f32 / rate_hz as f32;
        let tone = phase.sin() + 0.4 * (2.0 * phase).sin();
        let edge = note_length as f32 / 10.0;
        let fade = (at.min(note_length - at) as f32 / edge).min(1.0);
        (AMPLITUDE * fade * tone / 1.4) as i16
    };
    (0..length).map(sample).collect()
}

/// Reads a WAV file.
///
/// # Panics
///
/// Panics where it cannot be played.
pub fn sound_of(file: &[u8]) -> WavAudio {
    let sound = read_wav(file, &WavLimits::PROMPT);
    sound.unwrap_or_else(|error| panic!("{} octets are no WAV file: {error}", file.len()))
}

/// Where a stretch of `part` is in `whole`, both at the same rate: the stretch begins at `from_millis`.
///
/// # Panics
///
/// Panics where `part` is shorter than that stretch.
pub fn find_stretch(part: &WavAudio, from_millis: usize, millis: usize, whole: &[i16]) -> Match {
    let samples = |millis: usize| millis * part.rate_hz as usize / 1000;
    let range = samples(from_millis)..samples(from_millis + millis);
    let length = part.samples.len();
    let stretch = part.samples.get(range.clone());
    let stretch = stretch.unwrap_or_else(|| panic!("{length} samples have no stretch {range:?}"));
    find(stretch, whole).unwrap_or(Match { offset: 0, correlation: 0.0 })
}
