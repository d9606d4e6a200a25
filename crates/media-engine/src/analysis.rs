//! Measures of recorded sound, for tests and health checks: not for the tick.

use std::f64::consts::TAU;

/// Pieces of [`share_heard`] in a second: long enough to be unlike each other, short enough to follow stretching.
const PIECES_PER_SECOND: u32 = 5;

/// Where a known signal was found in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index in the recording at which the signal begins.
    pub offset: usize,
    /// Normalised correlation at that place: 1 is the same shape, 0 nothing in common; level does not matter.
    pub correlation: f64,
}

/// Samples of the needle that the coarse search compares at each place.
const COARSE_POINTS: usize = 4096;

/// Finds `needle` in `haystack` by normalised cross-correlation; both at the same rate.
///
/// The cost grows with the length of the recording times the (thinned) length of the signal; some seconds at 16 kHz
/// take a fraction of a second. Returns nothing when the needle is empty, silent or longer than the haystack.
#[must_use]
pub fn find(needle: &[i16], haystack: &[i16]) -> Option<Match> {
    if needle.is_empty() || needle.len() > haystack.len() {
        return None;
    }
    let head = needle.get(..needle.len().min(COARSE_POINTS * 4)).unwrap_or(needle);
    // The loudest stretch decides where the signal lies; a silent lead-in would match anywhere.
    let start = loudest_start(needle, head.len());
    let probe = needle.get(start..start + head.len())?;
    let places = haystack.len() - needle.len();
    let mut best: Option<Match> = None;
    for offset in 0..=places {
        let window = haystack.get(offset + start..offset + start + probe.len())?;
        let correlation = correlate(probe, window, 7);
        if best.is_none_or(|b| correlation > b.correlation) {
            best = Some(Match { offset, correlation });
        }
    }
    let coarse = best?;
    let from = coarse.offset.saturating_sub(16);
    let near = (from..=(coarse.offset + 16).min(places)).filter_map(|offset| {
        let window = haystack.get(offset..offset + needle.len())?;
        Some(Match { offset, correlation: correlate(needle, window, 1) })
    });
    near.max_by(|a, b| a.correlation.total_cmp(&b.correlation)).filter(|m| m.correlation > 0.0)
}

/// How much of `needle` is in `haystack` in the right order, 0 to 1: the mean likeness of its pieces, each weighted by
/// its energy and looked for within 60 ms of where the one before it puts it.
///
/// For sound that went through a jitter buffer, which may leave out or repeat some milliseconds: [`find`] tells where it
/// begins, and compares it only as a whole.
#[must_use]
pub fn share_heard(needle: &[i16], haystack: &[i16], rate_hz: u32) -> f64 {
    let piece = piece(rate_hz);
    let loudest = loudest_start(needle, piece * 4);
    let probe = needle.get(loudest..(loudest + piece * 4).min(needle.len())).unwrap_or_default();
    let Some(anchor) = find(probe, haystack) else { return 0.0 };
    share_heard_around(needle, haystack, rate_hz, (loudest, anchor.offset))
}

/// The same where it is known where sample `anchor.0` of the needle is in the haystack: at about `anchor.1`. The cost grows
/// with the length of the needle alone.
#[must_use]
pub fn share_heard_around(needle: &[i16], haystack: &[i16], rate_hz: u32, anchor: (usize, usize)) -> f64 {
    let piece = piece(rate_hz);
    let slack = (rate_hz as usize * 60 / 1000).max(1);
    let (known, offset) = anchor;
    let shift = offset as i64 - known as i64;
    let (mut sum, mut weights) = (0.0, 0.0);
    let mut follow = |from: usize, shift: &mut i64| {
        let Some(part) = needle.get(from..from + piece) else { return };
        let start = usize::try_from(from as i64 + *shift - slack as i64).unwrap_or(0);
        let end = (start + 2 * slack + piece).min(haystack.len());
        let weight = rms(part).powi(2);
        weights += weight;
        if let Some(found) = haystack.get(start..end).and_then(|window| find(part, window)) {
            sum += weight * found.correlation;
            if found.correlation > 0.7 {
                *shift = (start + found.offset) as i64 - from as i64;
            }
        }
    };
    let mut forward = shift;
    (known..needle.len()).step_by(piece).for_each(|from| follow(from, &mut forward));
    let mut backward = shift;
    (0..known / piece).for_each(|n| follow(known - (n + 1) * piece, &mut backward));
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// Samples of a piece that is looked for by itself.
fn piece(rate_hz: u32) -> usize {
    (rate_hz / PIECES_PER_SECOND).max(1) as usize
}

/// Where the loudest `length` samples begin, in steps of a quarter of that length.
fn loudest_start(signal: &[i16], length: usize) -> usize {
    let step = (length / 4).max(1);
    (0..=signal.len().saturating_sub(length))
        .step_by(step)
        .max_by_key(|start| {
            let part = signal.get(*start..*start + length).unwrap_or_default();
            part.iter().map(|x| u64::from(x.unsigned_abs()).pow(2)).sum::<u64>()
        })
        .unwrap_or(0)
}

/// Normalised correlation of two stretches of equal length, over every `stride`-th sample.
#[must_use]
pub fn correlate(a: &[i16], b: &[i16], stride: usize) -> f64 {
    let (mut ab, mut aa, mut bb) = (0_i64, 0_i64, 0_i64);
    for (x, y) in a.iter().zip(b).step_by(stride.max(1)) {
        let (x, y) = (i64::from(*x), i64::from(*y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa == 0 || bb == 0 { 0.0 } else { ab as f64 / (aa as f64).sqrt() / (bb as f64).sqrt() }
}

/// Signal-to-noise ratio in dB of `output` against `reference`, aligned sample by sample.
#[must_use]
pub fn snr_db(reference: &[i16], output: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (r, o) in reference.iter().zip(output) {
        signal += f64::from(*r).powi(2);
        noise += (f64::from(*r) - f64::from(*o)).powi(2);
    }
    10.0 * (signal.max(1e-9) / noise.max(1e-9)).log10()
}

/// Amplitude of the sine component at `frequency_hz`.
#[must_use]
pub fn amplitude_at(samples: &[i16], frequency_hz: f64, rate_hz: u32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in samples.iter().enumerate() {
        let angle = TAU * frequency_hz * n as f64 / f64::from(rate_hz);
        re += f64::from(*x) * angle.cos();
        im += f64::from(*x) * angle.sin();
    }
    2.0 * re.hypot(im) / samples.len().max(1) as f64
}

/// Root mean square of the samples, in units of a sample.
#[must_use]
pub fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|x| f64::from(*x).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

/// The largest difference between neighbouring samples.
#[must_use]
pub fn largest_step(samples: &[i16]) -> u32 {
    samples
        .iter()
        .zip(samples.iter().skip(1))
        .map(|(a, b)| (i32::from(*a) - i32::from(*b)).unsigned_abs())
        .max()
        .unwrap_or(0)
}

/// A sine of `length` samples.
#[must_use]
pub fn sine(frequency_hz: f64, rate_hz: u32, amplitude: f64, length: usize) -> Vec<i16> {
    (0..length)
        .map(|n| (amplitude * (TAU * frequency_hz * n as f64 / f64::from(rate_hz)).sin()).round() as i16)
        .collect()
}

/// Speech-like test sound: gliding harmonics in syllables with pauses; nowhere alike, so it can be found again.
#[must_use]
pub fn speech_like(rate_hz: u32, length: usize) -> Vec<i16> {
    let mut phase = 0.0;
    (0..length)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            let pitch = 120.0 + 35.0 * (1.7 * t).sin() + 20.0 * (4.1 * t + 0.5 * t * t).sin();
            phase += TAU * pitch / f64::from(rate_hz);
            let envelope = (TAU * 1.9 * t + 2.0 * (0.9 * t).sin()).sin().max(0.0).sqrt();
            let formant = 4.0 + 3.0 * (2.3 * t).sin();
            let sum: f64 = (1..=16)
                .map(|h| {
                    let h = f64::from(h);
                    (h * phase).sin() / (1.0 + (h - formant).powi(2) * 0.4)
                })
                .sum();
            (5000.0 * envelope * sum).clamp(-32_000.0, 32_000.0) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_found_where_it_was_put() {
        let speech = speech_like(16_000, 16_000);
        let mut recording = vec![0_i16; 40_000];
        for (slot, x) in recording[12_345..].iter_mut().zip(&speech) {
            *slot = x / 3;
        }
        let found = find(&speech, &recording).unwrap();
        assert_eq!(found.offset, 12_345);
        assert!(found.correlation > 0.99, "{found:?}");
    }

    #[test]
    fn a_signal_is_heard_although_milliseconds_are_left_out_or_lost() {
        let speech = speech_like(16_000, 64_000);
        let mut recording = vec![0; 9000];
        recording.extend(&speech[..30_000]);
        recording.extend(&speech[30_150..50_000]);
        recording.extend(&speech[49_900..]);
        let heard = share_heard(&speech, &recording, 16_000);
        assert!(heard > 0.95, "{heard}");
        recording[20_000..36_000].fill(0);
        let heard = share_heard(&speech, &recording, 16_000);
        assert!((0.6..0.9).contains(&heard), "{heard}");
        let around = share_heard_around(&speech, &recording, 16_000, (40_000, 48_850));
        assert!((0.6..0.9).contains(&around), "{around}");
        assert!(share_heard_around(&speech, &recording, 16_000, (40_000, 20_000)) < 0.5);
        assert!(share_heard(&speech, &sine(440.0, 16_000, 9000.0, 64_000), 16_000) < 0.5);
        assert!(share_heard(&speech, &[], 16_000).abs() < 1e-9);
    }

    #[test]
    fn another_signal_is_not_taken_for_it() {
        let speech = speech_like(16_000, 16_000);
        let other = sine(440.0, 16_000, 8000.0, 40_000);
        assert!(find(&speech, &other).is_none_or(|m| m.correlation < 0.5));
        assert_eq!(find(&speech, &[0; 40_000]), None);
        assert_eq!(find(&[], &other), None);
    }
}
