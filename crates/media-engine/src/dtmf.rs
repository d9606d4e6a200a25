//! Keys heard as sound: a Goertzel detector for far ends that send no telephone events.

use std::f32::consts::TAU;

use crate::tone::{HIGH_HZ, LOW_HZ};
use crate::{Frame, MAX_FRAME_SAMPLES, SampleRate, Tone};

/// Windows overlap by a third: 15 ms long, one every 10 ms. Long enough to tell the rows apart, short enough to let
/// frequencies be off by 1.5 % (ITU-T Q.24).
const WINDOW_SHARE_OF_FRAME: (usize, usize) = (3, 4);
/// Samples of the previous frame that the first window of a frame needs, at most: 5 ms at 48 kHz.
const MAX_CARRY: usize = MAX_FRAME_SAMPLES / 4;
/// Agreeing windows before a key counts; 25 ms of pure tone.
const WINDOWS_TO_ACCEPT: u8 = 2;
/// Windows without the key before it counts as released, so that a dropout does not double it.
const WINDOWS_TO_RELEASE: u8 = 3;
/// Mean square below which nothing is a key: about -38 dBFS.
const LOWEST_MEAN_SQUARE: f32 = 170_000.0;
/// Share of the whole energy that the two frequencies must hold; speech rarely does (talk-off).
const PAIR_SHARE: f32 = 0.6;
/// The strongest frequency of a group must beat the second by 6 dB.
const GROUP_MARGIN: f32 = 4.0;
/// Row and column may differ by 9 dB either way (twist).
const MAX_TWIST: f32 = 8.0;

/// Finds keys in sound, each once.
#[derive(Debug)]
pub struct DtmfDetector {
    rate: SampleRate,
    /// Goertzel coefficients of the four rows, then of the four columns.
    coefficients: [f32; 8],
    carry: [i16; MAX_CARRY],
    candidate: Option<Tone>,
    agreeing: u8,
    pressed: Option<Tone>,
    missing: u8,
}

impl DtmfDetector {
    /// A detector for frames of one rate.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        let mut coefficients = [0.0; 8];
        for (slot, hz) in coefficients.iter_mut().zip(LOW_HZ.into_iter().chain(HIGH_HZ)) {
            *slot = 2.0 * (TAU * f32::from(hz) / rate.hz() as f32).cos();
        }
        Self {
            rate,
            coefficients,
            carry: [0; MAX_CARRY],
            candidate: None,
            agreeing: 0,
            pressed: None,
            missing: 0,
        }
    }

    /// Takes the next frame; returns a key when it has just been recognised. Frames of another rate are ignored.
    pub fn handle_frame(&mut self, frame: &Frame) -> Option<Tone> {
        if frame.rate() != self.rate {
            return None;
        }
        let samples = frame.samples();
        let half = samples.len() / 2;
        let window = samples.len() * WINDOW_SHARE_OF_FRAME.0 / WINDOW_SHARE_OF_FRAME.1;
        let carried = window - half;
        let carry = self.carry;
        let (first, _) = samples.split_at(half);
        let early = self.recognise(carry.get(..carried).unwrap_or_default(), first);
        let late = self.recognise(&[], samples.get(samples.len() - window..).unwrap_or_default());
        let tail = samples.get(samples.len() - carried..).unwrap_or_default();
        for (slot, x) in self.carry.iter_mut().zip(tail) {
            *slot = *x;
        }
        let pressed_early = self.follow(early);
        let pressed_late = self.follow(late);
        pressed_early.or(pressed_late)
    }

    /// The key that fills one window, if any.
    fn recognise(&self, before: &[i16], samples: &[i16]) -> Option<Tone> {
        let mut state = [(0.0_f32, 0.0_f32); 8];
        let mut energy = 0.0;
        for x in before.iter().chain(samples).map(|x| f32::from(*x)) {
            energy += x * x;
            for ((s1, s2), coefficient) in state.iter_mut().zip(self.coefficients) {
                let s0 = x + coefficient * *s1 - *s2;
                (*s1, *s2) = (s0, *s1);
            }
        }
        let count = (before.len() + samples.len()).max(1) as f32;
        if energy / count < LOWEST_MEAN_SQUARE {
            return None;
        }
        let mut power = [0.0_f32; 8];
        for ((slot, (s1, s2)), coefficient) in power.iter_mut().zip(state).zip(self.coefficients) {
            *slot = (s1 * s1 + s2 * s2 - coefficient * s1 * s2) * 2.0 / count;
        }
        let (low, high) = power.split_at(4);
        let (row, low_power) = clear_maximum(low)?;
        let (column, high_power) = clear_maximum(high)?;
        let is_pair = low_power + high_power >= PAIR_SHARE * energy;
        let is_level = low_power <= high_power * MAX_TWIST && high_power <= low_power * MAX_TWIST;
        (is_pair && is_level).then(|| Tone::at(row, column)).flatten()
    }

    /// Debounces: returns the tone when it is pressed.
    fn follow(&mut self, heard: Option<Tone>) -> Option<Tone> {
        if heard == self.candidate {
            self.agreeing = self.agreeing.saturating_add(1);
        } else {
            (self.candidate, self.agreeing) = (heard, 1);
        }
        if heard.is_some() && heard == self.pressed {
            self.missing = 0;
            return None;
        }
        self.missing = self.missing.saturating_add(1);
        if self.missing >= WINDOWS_TO_RELEASE {
            self.pressed = None;
        }
        if heard.is_some() && self.agreeing >= WINDOWS_TO_ACCEPT {
            self.pressed = heard;
            self.missing = 0;
            return heard;
        }
        None
    }
}

/// The largest of a group, when it stands out.
fn clear_maximum(group: &[f32]) -> Option<(usize, f32)> {
    let (index, largest) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let is_clear = group.iter().enumerate().all(|(i, p)| i == index || p * GROUP_MARGIN < largest);
    is_clear.then_some((index, largest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToneGenerator;
    use crate::analysis::{sine, speech_like};

    const KEYS: &str = "0123456789*#ABCD";

    fn detect(rate: SampleRate, samples: &[i16]) -> Vec<Tone> {
        let mut detector = DtmfDetector::new(rate);
        let mut heard = Vec::new();
        for chunk in samples.chunks_exact(rate.frame_samples()) {
            let mut frame = Frame::silence(rate);
            frame.samples_mut().copy_from_slice(chunk);
            heard.extend(detector.handle_frame(&frame));
        }
        heard
    }

    fn dial(rate: SampleRate, on_ms: usize, off_ms: usize, scale: i16) -> Vec<i16> {
        let mut all = vec![0; rate.per_ms() * 33];
        for key in KEYS.chars() {
            let mut part = vec![0; rate.per_ms() * on_ms];
            let mut generator = ToneGenerator::key(Tone::from_char(key).unwrap()).unwrap();
            generator.fill_samples(rate.hz() as f32, &mut part);
            all.extend(part.iter().map(|x| x / scale));
            all.extend(vec![0; rate.per_ms() * off_ms]);
        }
        all.extend(vec![0; rate.per_ms() * 40]);
        all
    }

    #[test]
    fn every_key_is_heard_once_at_every_rate_and_level() {
        let expected: Vec<Tone> = KEYS.chars().filter_map(Tone::from_char).collect();
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000] {
            for (on_ms, off_ms, scale) in [(50, 50, 1), (103, 57, 4), (400, 80, 9)] {
                assert_eq!(detect(rate, &dial(rate, on_ms, off_ms, scale)), expected, "{rate:?} {on_ms} ms");
            }
        }
    }

    #[test]
    fn frequencies_may_be_off_by_one_and_a_half_percent() {
        for factor in [0.985, 1.015] {
            let low = sine(852.0 * factor, 8000, 6000.0, 800);
            let high = sine(1633.0 * factor, 8000, 6000.0, 800);
            let both: Vec<i16> = low.iter().zip(&high).map(|(a, b)| a + b).collect();
            assert_eq!(detect(SampleRate::Hz8000, &both), [Tone::C], "{factor}");
        }
    }

    #[test]
    fn speech_and_single_tones_are_not_keys() {
        assert_eq!(detect(SampleRate::Hz8000, &speech_like(8000, 8000 * 120)), []);
        assert_eq!(detect(SampleRate::Hz8000, &sine(697.0, 8000, 8000.0, 8000)), []);
        assert_eq!(detect(SampleRate::Hz8000, &sine(1336.0, 8000, 8000.0, 8000)), []);
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        let rate = SampleRate::Hz8000;
        let mut samples = Vec::new();
        for _ in 0..3 {
            let mut part = vec![0; 8 * 60];
            ToneGenerator::key(Tone::Tone7).unwrap().fill_samples(8000.0, &mut part);
            samples.extend(part);
            samples.extend(vec![0; 8 * 60]);
        }
        assert_eq!(detect(rate, &samples), [Tone::Tone7; 3]);
    }
}
