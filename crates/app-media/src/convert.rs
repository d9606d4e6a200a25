//! Conversion between the rates of sockets and those of media threads, 20 ms at a time.

use std::f64::consts::PI;

use media_engine::{Frame, FrameConverter, SampleRate};

/// Input samples for each output sample where the rate rises; more where it falls, as far as it falls.
const TAPS: usize = 32;
/// The longest memory: 24 kHz to 8 kHz.
const MAX_HISTORY: usize = 3 * TAPS;
/// Samples of the longest input: 20 ms at 48 kHz.
const MAX_INPUT: usize = 960;
/// Zero crossings of the sinc on each side, the shape of its Kaiser window and where its pass band ends: the filters of
/// the media engine, so that 24 kHz sounds like the other rates.
const HALF_WIDTH: f64 = 16.0;
const KAISER_BETA: f64 = 7.86;
const CUTOFF: f64 = 0.92;
/// What a tap of one is written as.
const UNITY: i32 = 1 << 14;

/// Converts a stream of samples between two rates, 20 ms at a time, without allocation after construction.
#[derive(Debug)]
pub(crate) struct Converter {
    from_hz: u32,
    to_hz: u32,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// What the media engine converts.
    Engine(Box<EngineWay>),
    /// To or from 24 kHz.
    Fir(Box<Fir>),
    /// The rates are the same.
    Same,
}

#[derive(Debug)]
struct EngineWay {
    converter: FrameConverter,
    input: Frame,
    output: Frame,
}

impl Converter {
    /// Computes the filter; rates are 8, 16, 24 or 48 kHz.
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Self {
        let way = match (engine_rate(from_hz), engine_rate(to_hz)) {
            _ if from_hz == to_hz => Way::Same,
            (Some(from), Some(to)) => Way::Engine(Box::new(EngineWay {
                converter: FrameConverter::new(from, to),
                input: Frame::silence(from),
                output: Frame::silence(to),
            })),
            (None, _) | (_, None) => Way::Fir(Box::new(Fir::new(from_hz, to_hz))),
        };
        Self { from_hz, to_hz, way }
    }

    /// Whether this is what converts between these rates.
    pub(crate) const fn is_between(&self, from_hz: u32, to_hz: u32) -> bool {
        self.from_hz == from_hz && self.to_hz == to_hz
    }

    /// Converts 20 ms to 20 ms; what is lacking is silence.
    pub(crate) fn convert(&mut self, samples: &[i16], out: &mut [i16]) {
        match &mut self.way {
            Way::Engine(way) => {
                copy(samples, way.input.samples_mut());
                way.converter.convert(&way.input, &mut way.output);
                copy(way.output.samples(), out);
            }
            Way::Fir(fir) => fir.convert(samples, out),
            Way::Same => copy(samples, out),
        }
    }

    /// Forgets the stream: what comes next begins after silence.
    pub(crate) fn reset(&mut self) {
        match &mut self.way {
            Way::Engine(way) => way.converter.reset(),
            Way::Fir(fir) => fir.work = [0; MAX_HISTORY + MAX_INPUT],
            Way::Same => {}
        }
    }
}

fn engine_rate(hz: u32) -> Option<SampleRate> {
    [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000].into_iter().find(|rate| rate.hz() == hz)
}

fn copy(samples: &[i16], out: &mut [i16]) {
    let length = samples.len().min(out.len());
    let (head, tail) = out.split_at_mut(length);
    head.copy_from_slice(samples.get(..length).unwrap_or_default());
    tail.fill(0);
}

/// A polyphase filter for rates whose ratio is a fraction, in whole numbers, of which processors multiply and add eight
/// at once.
#[derive(Debug)]
struct Fir {
    up: usize,
    down: usize,
    /// One after the other, the taps of each phase in units of [`UNITY`], for the oldest sample first.
    taps: Box<[i16]>,
    span: usize,
    /// What came before, and what comes.
    work: [i16; MAX_HISTORY + MAX_INPUT],
}

impl Fir {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / divisor) as usize, (from_hz / divisor) as usize);
        let ratio = (f64::from(from_hz) / f64::from(to_hz)).max(1.0);
        let span = (TAPS as f64 * ratio) as usize;
        let taps = (0..up).flat_map(|phase| taps(span, phase as f64 / up as f64, CUTOFF / ratio)).collect();
        Self { up, down, taps, span, work: [0; MAX_HISTORY + MAX_INPUT] }
    }

    fn convert(&mut self, samples: &[i16], out: &mut [i16]) {
        // As much as goes out comes in, even where there is too little.
        let used = out.len() * self.down / self.up;
        copy(samples, self.work.get_mut(MAX_HISTORY..MAX_HISTORY + used).unwrap_or_default());
        // Where the compiler knows the span, it takes half the instructions.
        match self.span {
            32 => self.filter::<32>(out),
            48 => self.filter::<48>(out),
            64 => self.filter::<64>(out),
            _ => self.filter::<MAX_HISTORY>(out),
        }
        self.work.copy_within(used..used + MAX_HISTORY, 0);
    }

    fn filter<const SPAN: usize>(&self, out: &mut [i16]) {
        let (phases, _) = self.taps.as_chunks::<SPAN>();
        let (mut oldest, mut phase) = (MAX_HISTORY + 1 - SPAN, 0);
        for y in out {
            let window = self.work.get(oldest..).and_then(|rest| rest.first_chunk::<SPAN>());
            let sum = window.zip(phases.get(phase)).map_or(0, |(window, taps)| dot(window, taps));
            *y = ((sum + UNITY / 2) >> UNITY.ilog2()).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            phase += self.down;
            while phase >= self.up {
                phase -= self.up;
                oldest += 1;
            }
        }
    }
}

/// Taps of one phase with unity gain at zero frequency.
fn taps(span: usize, phase: f64, scale: f64) -> Vec<i16> {
    let middle = (span / 2) as f64 - 1.0;
    let ideal: Vec<f64> = (0..span).map(|i| windowed_sinc((i as f64 - middle - phase) * scale)).collect();
    let sum: f64 = ideal.iter().sum();
    let mut taps: Vec<i16> = ideal.iter().map(|tap| (tap / sum * f64::from(UNITY)).round() as i16).collect();
    // What rounding took from the sum goes to where it matters least.
    let lacking = UNITY - taps.iter().copied().map(i32::from).sum::<i32>();
    if let Some(largest) = taps.iter_mut().max() {
        *largest += lacking as i16;
    }
    taps
}

fn windowed_sinc(x: f64) -> f64 {
    let share = x / HALF_WIDTH;
    if share.abs() >= 1.0 {
        return 0.0;
    }
    let window = bessel(KAISER_BETA * (1.0 - share * share).sqrt()) / bessel(KAISER_BETA);
    if x == 0.0 { window } else { window * (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel(x: f64) -> f64 {
    let term = |term: f64, k: i32| term * (x / (2.0 * f64::from(k))).powi(2);
    (1..40).fold((1.0, 1.0), |(sum, last), k| (sum + term(last, k), term(last, k))).0
}

/// The sum of products. It stays far below what 32 bits hold: taps add up to less than three times [`UNITY`], signs left
/// aside.
fn dot<const SPAN: usize>(samples: &[i16; SPAN], taps: &[i16; SPAN]) -> i32 {
    samples.iter().zip(taps).map(|(x, t)| i32::from(*x) * i32::from(*t)).sum()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::{amplitude_at, sine};

    use super::*;

    const RATES: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

    fn converted(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
        let mut converter = Converter::new(from, to);
        let mut all = Vec::new();
        for chunk in samples.chunks(from as usize / 50) {
            let mut out = vec![0; to as usize / 50];
            converter.convert(chunk, &mut out);
            all.extend_from_slice(&out);
        }
        all
    }

    #[test]
    fn a_tone_keeps_its_level_and_its_continuity_between_any_rates() {
        for from in RATES {
            for to in RATES {
                let out = converted(&sine(1000.0, from, 10_000.0, from as usize), from, to);
                assert_eq!(out.len(), to as usize);
                let steady = &out[to as usize / 10..];
                let level = amplitude_at(&steady[..to as usize * 4 / 5], 1000.0, to);
                assert!((level - 10_000.0).abs() < 150.0, "{from} to {to}: {level}");
                let step =
                    steady.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
                let natural = 10_000.0 * 2.0 * PI * 1000.0 / f64::from(to);
                assert!(f64::from(step) < natural * 1.1, "{from} to {to}: step {step}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed() {
        for (from, to, hz) in
            [(24_000, 16_000, 10_000.0), (48_000, 24_000, 15_000.0), (24_000, 8_000, 6_000.0)]
        {
            let out = converted(&sine(hz, from, 10_000.0, from as usize), from, to);
            let rest = out[to as usize / 10..].iter().map(|x| i32::from(*x).abs()).max().unwrap();
            assert!(rest < 30, "{from} to {to}: aliased at {rest}");
        }
    }

    #[test]
    fn the_loudest_sounds_saturate_and_nothing_overflows() {
        for (from, to) in [(24_000, 16_000), (16_000, 24_000), (24_000, 48_000), (24_000, 8_000)] {
            let fir = Fir::new(from, to);
            for taps in fir.taps.chunks(fir.span) {
                let worst: i32 = taps.iter().map(|tap| i32::from(tap.unsigned_abs())).sum();
                assert!(worst < 3 * UNITY, "{from} to {to}: {worst}");
            }
            let square: Vec<i16> =
                (0..from).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
            let out = converted(&square, from, to);
            assert!(out.contains(&i16::MAX) && out.contains(&i16::MIN));
        }
    }

    #[test]
    fn a_stream_that_was_reset_begins_after_silence() {
        for (from, to) in [(24_000, 16_000), (48_000, 16_000), (16_000, 16_000)] {
            let mut converter = Converter::new(from, to);
            let mut out = vec![0; to as usize / 50];
            converter.convert(&vec![9_000; from as usize / 50], &mut out);
            converter.reset();
            converter.convert(&vec![0; from as usize / 50], &mut out);
            assert!(out.iter().all(|x| *x == 0), "{from} to {to}");
        }
    }
}
