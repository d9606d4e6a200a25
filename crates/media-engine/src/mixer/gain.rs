//! How loud each of several at once may be, so that their sum stays in range.
//!
//! Where the peaks of a frame would add up to more than fits, the loudest are brought down, all to the same peak; who is
//! softer than that, and whoever speaks alone, is left as it is. A gain falls at once and rises slowly. It belongs to
//! what is heard and not to who hears it, so equal mixes stay equal. What a gain cannot catch, for it moves within some
//! milliseconds, a curve without memory bends into range.

/// What the peaks of all may add up to: where [`bend`] begins.
const FULL: f32 = 29_000.0;
/// The largest sample.
const MOST: f32 = 32_767.0;
/// Peaks below this, about -42 dB, are noise that nobody has to make room for.
const NOISE: f32 = 256.0;
/// How fast a gain rises: 0.4 dB a frame, from a quarter to one in 0.6 s, so that it does not pump between words.
const RISE: f32 = 1.047;

/// Samples that are looked at together.
const LANES: usize = 16;

/// The peak to which those above it are brought down, so that all of them together fit; sorts the peaks.
pub(super) fn limit(peaks: &mut [f32]) -> f32 {
    peaks.sort_unstable_by(f32::total_cmp);
    let noise = peaks.iter().take_while(|peak| **peak < NOISE).count();
    let peaks = peaks.get(noise..).unwrap_or_default();
    if peaks.len() < 2 {
        return f32::INFINITY;
    }
    let mut room = FULL;
    let mut count = peaks.len() as f32;
    for peak in peaks {
        if *peak * count > room {
            return room / count;
        }
        room -= *peak;
        count -= 1.0;
    }
    f32::INFINITY
}

/// The gain at the end of a frame with this peak, after `gain` before it.
pub(super) fn follow(gain: f32, peak: f32, limit: f32) -> f32 {
    let wanted = if peak > limit { limit / peak } else { 1.0 };
    wanted.min(gain * RISE)
}

/// Bends all samples; mostly none needs it.
pub(super) fn bend_all(samples: &mut [f32]) {
    for part in samples.chunks_mut(LANES) {
        if part.iter().map(|x| x.abs()).fold(0.0, f32::max) > FULL {
            for x in part {
                *x = bend(*x);
            }
        }
    }
}

/// Leaves small samples as they are and bends what is larger into range, without an edge.
fn bend(x: f32) -> f32 {
    let over = (x.abs() - FULL).max(0.0) / (MOST - FULL);
    let bent = FULL + (MOST - FULL) * over / (1.0 + over);
    if x.abs() <= FULL { x } else { bent.copysign(x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_speaks_alone_is_left_alone() {
        assert!(limit(&mut [32_767.0]) >= 32_767.0);
        assert!(limit(&mut [32_767.0, 100.0, 0.0, 200.0]) >= 32_767.0);
        assert!((follow(1.0, 20_000.0, f32::INFINITY) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn only_the_loud_are_brought_down() {
        let limit = limit(&mut [30_000.0, 5_000.0, 30_000.0]);
        assert!((limit - 12_000.0).abs() < 1.0, "{limit}");
        assert!((follow(1.0, 5_000.0, limit) - 1.0).abs() < 1e-6);
        assert!((follow(1.0, 30_000.0, limit) - 0.4).abs() < 1e-6);
    }

    #[test]
    fn a_gain_falls_at_once_and_rises_within_a_second() {
        let mut gain = follow(1.0, 30_000.0, 7_000.0);
        assert!(gain < 0.25);
        for _ in 0..10 {
            gain = follow(gain, 5_000.0, 7_000.0);
        }
        assert!((0.3..0.4).contains(&gain), "{gain}");
        for _ in 0..40 {
            gain = follow(gain, 5_000.0, 7_000.0);
        }
        assert!((gain - 1.0).abs() < 1e-6, "{gain}");
    }

    proptest! {
        #[test]
        fn limited_peaks_fit_together(mut peaks in proptest::collection::vec(0.0_f32..40_000.0, 1..16)) {
            let limit = limit(&mut peaks);
            peaks.retain(|peak| *peak >= NOISE);
            let sum: f32 = peaks.iter().map(|peak| peak.min(limit)).sum();
            prop_assert!(peaks.len() < 2 || sum <= FULL * 1.0001, "{}", sum);
            prop_assert!(peaks.len() < 2 || limit >= FULL / peaks.len() as f32 * 0.9999);
        }

        #[test]
        fn the_curve_keeps_order_and_range(a in -300_000.0_f32..300_000.0, b in -300_000.0_f32..300_000.0) {
            prop_assert!(bend(a).abs() <= MOST);
            prop_assert!((bend(a) <= bend(b)) == (a <= b) || (bend(a) - bend(b)).abs() < 1e-2);
        }
    }
}
