use std::f32::consts::TAU;
use std::sync::{Arc, OnceLock};

use attendant::Sentence;
use call_engine::Chime;
use media_engine::{PromptAudio, SampleRate};

use crate::dial_in::Spoken;

/// Sounds of the server's own, made once.
#[derive(Clone, Default)]
pub(crate) struct Sounds {
    hold: Arc<OnceLock<Arc<PromptAudio>>>,
    lobby: Arc<OnceLock<Arc<PromptAudio>>>,
    spoken_lobby: Arc<OnceLock<Arc<PromptAudio>>>,
    came: Arc<OnceLock<Arc<PromptAudio>>>,
    went: Arc<OnceLock<Arc<PromptAudio>>>,
    /// What is said to callers who dial in.
    pub(crate) spoken: Spoken,
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

/// Notes for those who wait: every four seconds.
const WAITING: [(f32, f32); 3] = [(587.3, 0.35), (440.0, 0.65), (0.0, 3.0)];

/// How often they are heard until it is said again what is waited for: some half a minute.
const NOTES_BETWEEN_WORDS: usize = 8;

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
        Arc::clone(self.lobby.get_or_init(|| sound(WAITING.into_iter())))
    }

    /// The same with words in between, for someone who sees no screen.
    pub(crate) fn spoken_lobby(&self) -> Arc<PromptAudio> {
        let make = || {
            let rate = SampleRate::Hz16000;
            let (words, notes) =
                (self.spoken.get(Sentence::Waiting).at_rate(rate), self.lobby().at_rate(rate));
            let parts = std::iter::once(&words).chain(std::iter::repeat_n(&notes, NOTES_BETWEEN_WORDS));
            let samples = parts.flat_map(|part| part.iter().copied()).collect();
            Arc::new(PromptAudio::from_samples(samples, rate.hz()))
        };
        Arc::clone(self.spoken_lobby.get_or_init(make))
    }

    /// Two notes that say that somebody came, upwards, or went.
    pub(crate) fn chime(&self, chime: Chime) -> Arc<PromptAudio> {
        let (cell, notes) = match chime {
            Chime::Came => (&self.came, [(587.3, 0.15), (784.0, 0.35)]),
            Chime::Went => (&self.went, [(784.0, 0.15), (587.3, 0.35)]),
        };
        Arc::clone(cell.get_or_init(|| sound(notes.into_iter())))
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
