use std::f32::consts::TAU;
use std::sync::{Arc, OnceLock};

use media_engine::PromptAudio;

/// Sounds of the server's own for those who wait, made once.
#[derive(Clone, Default)]
pub(crate) struct Sounds {
    hold: Arc<OnceLock<Arc<PromptAudio>>>,
    lobby: Arc<OnceLock<Arc<PromptAudio>>>,
}

const RATE_HZ: u32 = 16_000;

/// Loudness: a sixth of full scale, softer than speech.
const AMPLITUDE: f32 = 5_500.0;

/// Notes of the music on hold: broken chords that lead back to their beginning, in hertz.
const CHORDS: [[f32; 4]; 4] = [
    [261.6, 329.6, 392.0, 523.3],
    [220.0, 261.6, 329.6, 440.0],
    [174.6, 220.0, 261.6, 349.2],
    [196.0, 246.9, 293.7, 392.0],
];

impl Sounds {
    /// Music for someone taken aside.
    pub(crate) fn hold_music(&self) -> Arc<PromptAudio> {
        let make = || {
            let notes = CHORDS.iter().flat_map(|chord| chord.iter().chain(chord.iter().rev()));
            sound(notes.map(|hz| (*hz, 0.3)))
        };
        Arc::clone(self.hold.get_or_init(make))
    }

    /// Two soft notes every four seconds, for someone who waits to be let in.
    pub(crate) fn lobby(&self) -> Arc<PromptAudio> {
        Arc::clone(self.lobby.get_or_init(|| sound([(587.3, 0.35), (440.0, 0.65), (0.0, 3.0)].into_iter())))
    }
}

/// Notes of a pitch (0 is a pause) and a length in seconds, each fading away.
fn sound(notes: impl Iterator<Item = (f32, f32)>) -> Arc<PromptAudio> {
    let samples = notes.flat_map(|(hz, seconds)| {
        let length = (seconds * RATE_HZ as f32) as usize;
        (0..length).map(move |n| {
            let t = n as f32 / RATE_HZ as f32;
            let attack = (t / 0.01).min(1.0);
            let release = ((seconds - t) / 0.02).clamp(0.0, 1.0);
            let tone = (TAU * hz * t).sin() + 0.3 * (2.0 * TAU * hz * t).sin();
            (AMPLITUDE * attack * release * (-2.5 * t).exp() * tone / 1.3) as i16
        })
    });
    Arc::new(PromptAudio::from_samples(samples.collect(), RATE_HZ))
}
