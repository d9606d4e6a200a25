//! Sources of sound for scripted endpoints: tones and an echo.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use crate::resample::to_i16;
use crate::{Frame, Tone};

/// Peak of the row frequency of a key; with the column about -9 dBm0 each, within ITU-T Q.23's customary range.
const LOW_AMPLITUDE: f32 = 6400.0;
/// Peak of the column frequency, 2 dB more, as lines attenuate it more.
const HIGH_AMPLITUDE: f32 = 8000.0;
/// Longest delay of an [`Echo`]: 2 s, about 96 KB of frames at the largest rate.
const MAX_ECHO_FRAMES: usize = 100;

/// One sine of a generator.
#[derive(Clone, Copy, Debug)]
struct Oscillator {
    frequency_hz: f32,
    amplitude: f32,
    phase: f32,
}

impl Oscillator {
    fn next(&mut self, rate_hz: f32) -> f32 {
        let value = self.amplitude * self.phase.sin();
        self.phase = (self.phase + TAU * self.frequency_hz / rate_hz) % TAU;
        value
    }
}

/// Makes an endless tone of one or two frequencies, without a step from frame to frame.
#[derive(Clone, Copy, Debug)]
pub struct ToneGenerator {
    oscillators: [Oscillator; 2],
}

impl ToneGenerator {
    /// A sine; `amplitude` is its peak in units of a sample.
    #[must_use]
    pub fn sine(frequency_hz: f32, amplitude: i16) -> Self {
        let none = Oscillator { frequency_hz: 0.0, amplitude: 0.0, phase: 0.0 };
        Self { oscillators: [Oscillator { frequency_hz, amplitude: f32::from(amplitude), phase: 0.0 }, none] }
    }

    /// The sound of a key; the flash has none.
    #[must_use]
    pub fn key(tone: Tone) -> Option<Self> {
        let (low, high) = tone.frequencies()?;
        let make = |hz, amplitude| Oscillator { frequency_hz: f32::from(hz), amplitude, phase: 0.0 };
        Some(Self { oscillators: [make(low, LOW_AMPLITUDE), make(high, HIGH_AMPLITUDE)] })
    }

    /// Fills the frame, at the rate that it has.
    pub fn fill(&mut self, frame: &mut Frame) {
        let rate = frame.rate().hz() as f32;
        self.fill_samples(rate, frame.samples_mut());
    }

    /// Fills any stretch of samples.
    pub(crate) fn fill_samples(&mut self, rate_hz: f32, samples: &mut [i16]) {
        for slot in samples {
            *slot = to_i16(self.oscillators.iter_mut().map(|o| o.next(rate_hz)).sum());
        }
    }
}

/// Gives back what it is given, a fixed number of frames later.
#[derive(Debug)]
pub struct Echo {
    line: VecDeque<Frame>,
    delay: usize,
}

impl Echo {
    /// A line of `delay_frames` (20 ms each; at most 100), silent at first.
    #[must_use]
    pub fn new(delay_frames: usize) -> Self {
        let delay = delay_frames.min(MAX_ECHO_FRAMES);
        Self { line: VecDeque::with_capacity(delay + 1), delay }
    }

    /// Takes what was heard and puts what was heard `delay_frames` ago in its place.
    pub fn exchange(&mut self, frame: &mut Frame) {
        self.line.push_back(frame.clone());
        if self.line.len() <= self.delay {
            frame.reset(frame.rate());
        } else if let Some(past) = self.line.pop_front() {
            *frame = past;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleRate;
    use crate::analysis::{amplitude_at, largest_step};

    #[test]
    fn a_key_sounds_at_its_two_frequencies_without_clicks() {
        let mut generator = ToneGenerator::key(Tone::Tone5).unwrap();
        let mut all = Vec::new();
        for _ in 0..25 {
            let mut frame = Frame::silence(SampleRate::Hz8000);
            generator.fill(&mut frame);
            all.extend_from_slice(frame.samples());
        }
        assert!((amplitude_at(&all, 770.0, 8000) - 6400.0).abs() < 50.0);
        assert!((amplitude_at(&all, 1336.0, 8000) - 8000.0).abs() < 50.0);
        assert!(largest_step(&all) < 12_000);
        assert!(ToneGenerator::key(Tone::Flash).is_none());
    }

    #[test]
    fn the_echo_returns_frames_after_its_delay() {
        let mut echo = Echo::new(3);
        let mut returned = Vec::new();
        for n in 1..=6_i16 {
            let mut frame = Frame::silence(SampleRate::Hz8000);
            frame.samples_mut().fill(n);
            echo.exchange(&mut frame);
            returned.push(frame.samples()[0]);
        }
        assert_eq!(returned, [0, 0, 0, 1, 2, 3]);
    }
}
