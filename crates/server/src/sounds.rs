//! Sounds that the program brings along: what `https://cdn.contoso.com/…` names in `dev`.
//!
//! They are computed, not recorded: short melodies of notes with overtones, each unlike the others, so that a test can
//! tell by correlation which of them was heard.

use std::f32::consts::TAU;

use bytes::Bytes;
use media_engine::wav_file;

/// The documented format of prompts (`mediaInfo`): mono, 16 bit, 16 kHz.
const RATE_HZ: u32 = 16_000;

/// Loudness of a melody: well below clipping, well above any silence detection.
const AMPLITUDE: f32 = 9_000.0;

/// A note: frequency in hertz, length in milliseconds. 0 Hz is a pause.
type Note = (f32, u32);

const BEEP: &[Note] = &[(1000.0, 200)];
const COOL: &[Note] = &[(262.0, 150), (330.0, 150), (392.0, 150), (523.0, 300), (392.0, 150), (523.0, 450)];
/// The demo bot's words.
const GREETING: &[Note] = &[
    (392.0, 180),
    (440.0, 180),
    (523.0, 180),
    (587.0, 260),
    (0.0, 60),
    (523.0, 160),
    (440.0, 160),
    (349.0, 420),
];
/// The scripted user's words: five seconds that never repeat for long, so that a recording of any part is recognised.
const HELLO: &[Note] = &[
    (220.0, 230),
    (277.0, 170),
    (330.0, 260),
    (247.0, 190),
    (294.0, 310),
    (370.0, 170),
    (208.0, 280),
    (311.0, 230),
    (233.0, 190),
    (349.0, 260),
    (262.0, 310),
    (185.0, 230),
    (415.0, 170),
    (196.0, 260),
    (392.0, 190),
    (175.0, 310),
    (330.0, 170),
    (294.0, 260),
    (220.0, 230),
    (440.0, 190),
    (247.0, 310),
    (208.0, 340),
];

/// A sound by its file name, as a WAV file.
pub(crate) fn find(name: &str) -> Option<Bytes> {
    let notes = match name {
        "beep.wav" => BEEP,
        "cool.wav" => COOL,
        "greeting.wav" => GREETING,
        "hello.wav" => HELLO,
        _ => return None,
    };
    Some(wav_file(RATE_HZ, &melody(notes)).into())
}

fn melody(notes: &[Note]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (hz, millis) in notes {
        let length = (RATE_HZ * millis / 1000) as usize;
        samples.extend((0..length).map(|at| note(*hz, at, length)));
    }
    samples
}

/// One sample of a note with two overtones and soft edges.
fn note(hz: f32, at: usize, length: usize) -> i16 {
    let phase = TAU * hz * at as f32 / RATE_HZ as f32;
    let tone = phase.sin() + 0.4 * (2.0 * phase).sin() + 0.2 * (3.0 * phase).sin();
    // Ten milliseconds at each end, or it clicks.
    let edge = (RATE_HZ / 100) as usize;
    let from_edge = at.min(length - 1 - at).min(edge) as f32 / edge as f32;
    (AMPLITUDE * from_edge * tone / 1.6) as i16
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::correlate;
    use media_engine::{WavLimits, read_wav};

    use super::find;

    #[test]
    fn every_sound_is_a_documented_prompt_and_unlike_the_others() {
        let names = ["beep.wav", "cool.wav", "greeting.wav", "hello.wav"];
        let sounds = names.map(|name| read_wav(&find(name).unwrap(), &WavLimits::PROMPT).unwrap());
        for (at, sound) in sounds.iter().enumerate() {
            assert_eq!(sound.rate_hz, 16_000);
            for other in &sounds[at + 1..] {
                let length = sound.samples.len().min(other.samples.len());
                assert!(correlate(&sound.samples[..length], &other.samples[..length], 1).abs() < 0.5);
            }
        }
        assert_eq!(find("../secret.wav"), None);
    }
}
