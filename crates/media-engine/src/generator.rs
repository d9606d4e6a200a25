//! Sources of sound for scripted endpoints, tones and an echo; and of faint noise for lines on which nobody speaks.

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

/// The largest sample of comfort noise. Whole numbers up to here, all as likely, have a root mean square of 18.2, which is
/// -65 dB relative to full scale: about what a quiet room leaves of a line (RFC 3389 speaks of levels from 0 to -127).
const COMFORT_PEAK: u32 = 31;

/// Makes faint white noise, so that a line on which nobody speaks does not seem dead; the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct ComfortNoise {
    state: u32,
}

impl ComfortNoise {
    /// Noise that differs from that of other seeds, so that several at once do not add up to something louder than noise.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        // Neighbouring seeds begin far from each other, and none at zero, where the generator would stay.
        Self { state: seed.wrapping_mul(0x9E37_79B9) | 1 }
    }

    /// Fills the frame, at the rate that it has.
    pub fn fill(&mut self, frame: &mut Frame) {
        for slot in frame.samples_mut() {
            // Marsaglia's xorshift: three steps through all numbers but zero.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let level = ((self.state >> 16) * (2 * COMFORT_PEAK + 1)) >> 16;
            *slot = level as i16 - COMFORT_PEAK as i16;
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
    use crate::level_dbfs;

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
    fn comfort_noise_is_faint_even_and_without_a_pitch() {
        let mut noise = ComfortNoise::new(0);
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut frame = Frame::silence(SampleRate::Hz16000);
            noise.fill(&mut frame);
            assert!((level_dbfs(frame.samples()) + 65.0).abs() < 1.0);
            all.extend_from_slice(frame.samples());
        }
        assert!((level_dbfs(&all) + 65.1).abs() < 0.1, "{}", level_dbfs(&all));
        let loudest = (1..80).map(|n| amplitude_at(&all, f64::from(n) * 100.0, 16_000)).fold(0.0, f64::max);
        assert!(loudest < 1.0, "{loudest}");
        assert!(
            all.iter().map(|x| i32::from(*x)).sum::<i32>().abs() < all.len() as i32 / 2,
            "it has no offset"
        );
    }

    #[test]
    fn comfort_noises_of_several_do_not_add_up_to_an_echo() {
        let mut frames = [Frame::silence(SampleRate::Hz16000), Frame::silence(SampleRate::Hz16000)];
        for (seed, frame) in (1..).zip(&mut frames) {
            ComfortNoise::new(seed).fill(frame);
        }
        let [one, other] = frames;
        let sum: Vec<i16> = one.samples().iter().zip(other.samples()).map(|(x, y)| x + y).collect();
        assert!((level_dbfs(&sum) + 62.0).abs() < 1.0, "{}", level_dbfs(&sum));
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
