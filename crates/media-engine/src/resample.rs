//! Conversion between sampling rates: whole buffers ahead of time, and frame by frame without allocation.

use std::f64::consts::PI;

use crate::{Frame, SampleRate};

/// Zero crossings of the sinc on each side; with the Kaiser window below the stop band lies near -80 dB.
const HALF_WIDTH: usize = 16;
/// Shape of the Kaiser window, for about 80 dB of stop-band attenuation.
const KAISER_BETA: f64 = 7.86;
/// Where the pass band ends, as a share of the lower Nyquist frequency; the rest is transition.
const CUTOFF: f64 = 0.92;
/// Positions between two input samples for which taps are computed. Every customary pair of rates needs fewer (44,100
/// to 48,000 Hz needs 160); others are rounded to these, with an error about 66 dB below the sound.
const MAX_PHASES: u64 = 2048;
/// Numbers that are multiplied and added at once; spans are multiples of it.
const LANES: usize = 8;

/// Kaiser-windowed sinc at a distance in zero crossings.
fn kernel_at(distance: f64) -> f64 {
    let share = distance.abs() / HALF_WIDTH as f64;
    if share >= 1.0 {
        return 0.0;
    }
    let window = bessel_i0(KAISER_BETA * (1.0 - share * share).sqrt()) / bessel_i0(KAISER_BETA);
    let sinc = if distance == 0.0 { 1.0 } else { (PI * distance).sin() / (PI * distance) };
    window * sinc
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

/// Converts a whole buffer; the result has the input's duration, rounded up to a sample.
///
/// Works for every pair of rates above zero; meant for prompts, ahead of time.
#[must_use]
pub fn resample(input: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz || from_hz == 0 || to_hz == 0 {
        return input.to_vec();
    }
    let divisor = greatest_common_divisor(from_hz, to_hz);
    let (up, down) = (u64::from(to_hz / divisor), u64::from(from_hz / divisor));
    let phases = up.min(MAX_PHASES);
    let ratio = (f64::from(from_hz) / f64::from(to_hz)).max(1.0);
    let half = ((HALF_WIDTH as f64 * ratio / CUTOFF).ceil() as usize + 1).next_multiple_of(LANES);
    let span = 2 * half;
    let mut taps = vec![0.0; phases as usize * span];
    for (phase, row) in taps.chunks_mut(span).enumerate() {
        fill_phase(row, phase as f64 / phases as f64, ratio);
    }
    let mut padded = vec![0.0; half];
    padded.extend(input.iter().map(|x| f32::from(*x)));
    padded.resize(input.len() + 2 * span, 0.0);
    let length = (input.len() as u64 * up).div_ceil(down);
    (0..length)
        .map(|n| {
            let (base, rest) = (n * down / up, n * down % up);
            let window = padded.get(base as usize + 1..).unwrap_or_default();
            let row = (rest * phases / up) as usize * span;
            to_i16(dot(window, taps.get(row..row + span).unwrap_or_default()))
        })
        .collect()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The sum of products over the length of the shorter; both at least as long as a multiple of [`LANES`].
fn dot(samples: &[f32], taps: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (xs, ts) in samples.chunks_exact(LANES).zip(taps.chunks_exact(LANES)) {
        for ((sum, x), t) in sums.iter_mut().zip(xs).zip(ts) {
            *sum += x * t;
        }
    }
    sums.iter().sum()
}

/// Rounds and saturates; several times as fast as `round` where that is a call.
pub(crate) fn to_i16(x: f32) -> i16 {
    (x + 0.5_f32.copysign(x)) as i16
}

/// Input samples per phase that the streaming converter remembers when it raises the rate.
const TAPS: usize = 32;
/// The longest memory of the streaming converter: lowering 48 kHz to 8 kHz.
const MAX_HISTORY: usize = TAPS * 6;

/// Converts a stream of frames from one rate to another, without allocation after construction.
///
/// Linear phase; the sound comes out 2 ms (8 kHz involved) or 1 ms later.
#[derive(Debug)]
pub struct FrameConverter {
    from: SampleRate,
    to: SampleRate,
    up: usize,
    down: usize,
    /// Taps in the order of the phases: `up` phases of `span` taps each, oldest input first.
    taps: Box<[f32]>,
    span: usize,
    history: [f32; MAX_HISTORY],
}

impl FrameConverter {
    /// Computes the filter for a pair of rates.
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        let (up, down) = if to >= from {
            ((to.hz() / from.hz()) as usize, 1)
        } else {
            (1, (from.hz() / to.hz()) as usize)
        };
        // 16 kHz and 48 kHz are multiples of 8 kHz and of each other, so one factor is always 1.
        let span = TAPS * down;
        let mut taps = vec![0.0; span * up].into_boxed_slice();
        for (phase, row) in taps.chunks_mut(span).enumerate() {
            fill_phase(row, phase as f64 / up as f64, down as f64);
        }
        Self { from, to, up, down, taps, span, history: [0.0; MAX_HISTORY] }
    }

    /// Converts the next frame of the stream into `out`; a frame of another rate counts as silence.
    pub fn convert(&mut self, frame: &Frame, out: &mut Frame) {
        out.reset(self.to);
        let samples = if frame.rate() == self.from { frame.samples() } else { &[] };
        self.convert_samples(samples, out.samples_mut());
    }

    /// The rate of what comes out.
    #[must_use]
    pub const fn to(&self) -> SampleRate {
        self.to
    }

    /// Forgets the stream: what comes next begins after silence.
    pub fn reset(&mut self) {
        self.history = [0.0; MAX_HISTORY];
    }

    /// Converts a frame's samples to a frame's samples; what is lacking is silence.
    pub(crate) fn convert_samples(&mut self, samples: &[i16], out: &mut [i16]) {
        if self.from == self.to && samples.len() == out.len() {
            out.copy_from_slice(samples);
            return;
        }
        let mut work = [0.0_f32; MAX_HISTORY + crate::MAX_FRAME_SAMPLES];
        let fresh = self.from.frame_samples();
        let (past, rest) = work.split_at_mut(MAX_HISTORY);
        past.copy_from_slice(&self.history);
        for (slot, x) in rest.iter_mut().zip(samples) {
            *slot = f32::from(*x);
        }
        for (i, group) in out.chunks_mut(self.up).enumerate() {
            // The newest input sample that these output samples may look at.
            let newest = MAX_HISTORY + i * self.down;
            let window = work.get(newest + 1 - self.span..=newest).unwrap_or_default();
            for (y, taps) in group.iter_mut().zip(self.taps.chunks_exact(self.span)) {
                *y = to_i16(dot(window, taps));
            }
        }
        if let Some(tail) = work.get(fresh..fresh + MAX_HISTORY) {
            self.history.copy_from_slice(tail);
        }
    }
}

/// Taps of one phase, oldest sample first, normalised to unity gain at zero frequency; `ratio` is the input rate over
/// the output rate, at least 1.
fn fill_phase(row: &mut [f32], phase: f64, ratio: f64) {
    let scale = CUTOFF / ratio;
    let middle = (row.len() / 2) as f64 - 1.0;
    let mut sum = 0.0;
    for (i, tap) in row.iter_mut().enumerate() {
        *tap = kernel_at((i as f64 - middle - phase) * scale) as f32;
        sum += *tap;
    }
    for tap in row {
        *tap /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{amplitude_at, sine};

    #[test]
    fn a_tone_keeps_its_level_between_any_rates() {
        for (from, to) in
            [(44_100, 16_000), (8_000, 48_000), (11_025, 8_000), (192_000, 16_000), (4_000, 48_000)]
        {
            let tone = sine(1000.0, from, 10_000.0, from as usize);
            let out = resample(&tone, from, to);
            assert_eq!(out.len(), to as usize);
            let level = amplitude_at(&out[out.len() / 4..out.len() / 2], 1000.0, to);
            assert!((level - 10_000.0).abs() < 100.0, "{from} to {to}: {level}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed() {
        let tone = sine(6000.0, 48_000, 10_000.0, 48_000);
        let out = resample(&tone, 48_000, 8_000);
        let rest = out[1000..7000].iter().map(|x| i32::from(*x).abs()).max().unwrap();
        assert!(rest < 20, "aliased at {rest}");
    }

    #[test]
    fn streaming_conversion_keeps_level_and_continuity() {
        let rates = [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000];
        for from in rates {
            for to in rates {
                let tone = sine(1000.0, from.hz(), 10_000.0, from.frame_samples() * 50);
                let mut converter = FrameConverter::new(from, to);
                let mut all = Vec::new();
                for chunk in tone.chunks(from.frame_samples()) {
                    let mut frame = Frame::silence(from);
                    frame.samples_mut().copy_from_slice(chunk);
                    let mut out = Frame::silence(to);
                    converter.convert(&frame, &mut out);
                    all.extend_from_slice(out.samples());
                }
                let steady = &all[to.frame_samples() * 5..];
                let level = amplitude_at(&steady[..to.frame_samples() * 40], 1000.0, to.hz());
                assert!((level - 10_000.0).abs() < 150.0, "{from:?} to {to:?}: {level}");
                let step =
                    steady.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
                let natural = 10_000.0 * 2.0 * PI * 1000.0 / f64::from(to.hz());
                assert!(f64::from(step) < natural * 1.1, "{from:?} to {to:?}: step {step}");
            }
        }
    }

    #[test]
    fn streaming_down_conversion_removes_aliases() {
        let mut converter = FrameConverter::new(SampleRate::Hz48000, SampleRate::Hz16000);
        let tone = sine(10_000.0, 48_000, 10_000.0, 960 * 20);
        let mut loudest = 0;
        for (i, chunk) in tone.chunks(960).enumerate() {
            let mut frame = Frame::silence(SampleRate::Hz48000);
            frame.samples_mut().copy_from_slice(chunk);
            let mut out = Frame::silence(SampleRate::Hz16000);
            converter.convert(&frame, &mut out);
            if i > 2 {
                loudest = out.samples().iter().map(|x| i32::from(*x).abs()).max().unwrap().max(loudest);
            }
        }
        assert!(loudest < 30, "aliased at {loudest}");
    }
}
