//! Decoded sound on its way out: made up where it is missing, shortened and lengthened without a click.
//!
//! One buffer holds what was played last (the history) and, after it, what waits to be played.

use crate::resample::to_i16;
use crate::{Frame, SampleRate};

/// What was played and is remembered, in milliseconds: the longest pitch period and the piece it is found by.
const HISTORY_MS: usize = 30;
/// What can wait, in milliseconds: two frames, the longest packet of 120 ms and a stretch.
const PENDING_MS: usize = 180;
/// Overlap of made-up and decoded sound where the decoded goes on.
const JOIN_MS: usize = 5;
/// Pitch periods that are looked for when sound is made up: 67 to 400 Hz.
const CONCEAL_LAG_MS: (f32, f32) = (2.5, 15.0);
/// The piece of history that has to recur.
const CONCEAL_WINDOW_MS: usize = 10;
/// Time constant of the decay of repeated sound.
const DECAY_MS: f32 = 60.0;
/// Repeated sound is faded to silence from here to the end, for more would not resemble speech.
const FADE_FROM_MS: usize = 160;
/// After so much made-up sound only silence follows.
pub(crate) const MAX_CONCEAL_MS: usize = 200;
/// Stretching moves by a pitch period of 100 to 400 Hz.
const STRETCH_LAG_MS: (f32, f32) = (2.5, 10.0);
/// Similarity of neighbouring periods from which a stretch is not heard.
const STRETCH_SIMILARITY: f32 = 0.85;
/// What is accepted when the delay is far off.
const URGENT_SIMILARITY: f32 = 0.4;
/// Mean square below which everything can be stretched: about -47 dBFS.
const QUIET_MEAN_SQUARE: f32 = 22_500.0;
/// Samples of the pitch search, which runs at 8 kHz whatever the rate: 30 ms.
const SEARCH_SAMPLES: usize = 8 * HISTORY_MS;
/// Samples of the longest join: 5 ms at 48 kHz.
const MAX_JOIN: usize = 48 * JOIN_MS;

/// How far repetition has come.
#[derive(Clone, Copy, Debug)]
struct Concealment {
    lag: usize,
    made: usize,
    /// Step between the last real sample and the first repeated one, smoothed out over the first milliseconds.
    offset: f32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pcm {
    rate: SampleRate,
    buffer: Box<[i16]>,
    /// Where the waiting samples end; they begin after the history.
    end: usize,
    concealment: Option<Concealment>,
    /// What external concealment is multiplied with, and how much of it there was.
    external_made: usize,
    is_silent: bool,
    /// Samples at the end of the buffer that are known to be zero.
    blank: usize,
}

impl Pcm {
    pub(crate) fn new(rate: SampleRate) -> Self {
        let history = rate.per_ms() * HISTORY_MS;
        let length = history + rate.per_ms() * PENDING_MS;
        let buffer = vec![0; length].into_boxed_slice();
        Self {
            rate,
            buffer,
            end: history,
            concealment: None,
            external_made: 0,
            is_silent: true,
            blank: history,
        }
    }

    /// Samples that wait.
    pub(crate) fn pending(&self) -> usize {
        self.end - self.history()
    }

    /// True when made-up sound has faded to silence, or nothing was ever decoded.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// True when nothing but silence is left of what was played and what waits.
    pub(crate) fn is_blank(&self) -> bool {
        self.is_silent && self.blank >= self.end
    }

    /// The place for decoded samples; [`Self::commit`] says how many there are.
    pub(crate) fn space(&mut self) -> &mut [i16] {
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes `count` decoded samples that were written to [`Self::space`], less the first `skip`, and joins them to
    /// what was made up before.
    pub(crate) fn commit(&mut self, skip: usize, count: usize) {
        let count = count.min(self.buffer.len() - self.end);
        let skip = skip.min(count);
        self.buffer.copy_within(self.end + skip..self.end + count, self.end);
        let count = count - skip;
        if count == 0 {
            return;
        }
        if self.external_made > 0 {
            self.ramp_after_external(count);
        } else if self.is_silent || self.concealment.is_some() {
            self.join(count);
        }
        self.concealment = None;
        self.external_made = 0;
        (self.is_silent, self.blank) = (false, 0);
        self.end += count;
    }

    /// Takes `count` samples of sound that was not decoded, because nobody speaks in it; fades out what came before.
    pub(crate) fn commit_silence(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.end);
        let ramp = if self.is_silent { 0 } else { (self.rate.per_ms() * JOIN_MS).min(count) };
        let (past, fresh) = self.buffer.split_at_mut(self.end);
        fresh.get_mut(..count).unwrap_or_default().fill(0);
        for (i, (slot, x)) in fresh.iter_mut().zip(past.iter().rev()).take(ramp).enumerate() {
            *slot = to_i16(f32::from(*x) * (ramp - i) as f32 / (ramp + 1) as f32);
        }
        self.blank = if self.is_silent { self.blank + count } else { count - ramp };
        self.end += count;
        (self.concealment, self.external_made, self.is_silent) = (None, 0, true);
    }

    /// Makes up `count` samples by repeating the last pitch period, softer and softer.
    pub(crate) fn conceal(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.end);
        if self.is_silent {
            self.buffer.get_mut(self.end..self.end + count).unwrap_or_default().fill(0);
            (self.end, self.blank) = (self.end + count, self.blank + count);
            return;
        }
        let mut state = match self.concealment {
            Some(state) => state,
            None => self.begin_concealment(),
        };
        for at in self.end..self.end + count {
            let value = self.repeat(&mut state, at, |buffer, place| buffer.get(place).copied().unwrap_or(0));
            if let Some(slot) = self.buffer.get_mut(at) {
                *slot = value;
            }
        }
        self.end += count;
        self.is_silent = state.made >= self.rate.per_ms() * MAX_CONCEAL_MS;
        self.blank = 0;
        self.concealment = Some(state);
    }

    /// Takes `count` samples that the codec made up and that were written to [`Self::space`]; fades them in time.
    pub(crate) fn commit_concealed(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.end);
        for i in 0..count {
            let gain = self.external_gain();
            self.external_made += 1;
            if let Some(slot) = self.buffer.get_mut(self.end + i) {
                *slot = to_i16(f32::from(*slot) * gain);
            }
        }
        self.end += count;
        self.is_silent = self.is_silent || self.external_made >= self.rate.per_ms() * MAX_CONCEAL_MS;
        self.blank = 0;
    }

    /// Plays one frame; what is lacking is silence.
    pub(crate) fn take(&mut self, out: &mut Frame) {
        out.reset(self.rate);
        let history = self.history();
        let count = self.pending().min(self.rate.frame_samples());
        let played = self.buffer.get(history..history + count).unwrap_or_default();
        for (slot, x) in out.samples_mut().iter_mut().zip(played) {
            *slot = *x;
        }
        self.buffer.copy_within(count..self.end, 0);
        self.end -= count;
        self.blank = self.blank.min(self.end);
    }

    /// Whether nobody speaks in what waits, up to the longest piece that can be left out and what follows it.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut thin = [0.0; SEARCH_SAMPLES];
        let available = (self.pending() / (self.rate.per_ms() / 8)).min(SEARCH_SAMPLES);
        let thin = thin.get_mut(..available).unwrap_or_default();
        self.thin_out(self.history(), thin);
        is_quiet(thin)
    }

    /// Leaves out one period of what waits when that is not heard; returns the samples left out.
    pub(crate) fn shorten(&mut self, is_urgent: bool) -> usize {
        let start = self.history();
        let Some(lag) = self.stretch_lag(is_urgent) else { return 0 };
        for i in 0..lag {
            let faded = self.cross_fade(start + i, start + lag + i, i, lag);
            if let Some(slot) = self.buffer.get_mut(start + i) {
                *slot = faded;
            }
        }
        self.buffer.copy_within(start + 2 * lag..self.end, start + lag);
        self.end -= lag;
        lag
    }

    /// Repeats one period at the beginning of what waits when that is not heard; returns the samples added.
    pub(crate) fn lengthen(&mut self) -> usize {
        let start = self.history();
        let shortest = self.lag_samples(STRETCH_LAG_MS.0);
        let Some(lag) = self.stretch_lag_back(start).filter(|lag| *lag >= shortest) else { return 0 };
        if self.end + lag > self.buffer.len() {
            return 0;
        }
        self.buffer.copy_within(start..self.end, start + lag);
        self.end += lag;
        for i in 0..lag {
            // The original moved up by `lag`; the history still ends just before `start`.
            let value = self.cross_fade(start + lag + i, start - lag + i, i, lag);
            if let Some(slot) = self.buffer.get_mut(start + i) {
                *slot = value;
            }
        }
        lag
    }

    /// Says that the next decoded samples do not go on where these end, so that they are joined.
    pub(crate) fn jump(&mut self) {
        if self.concealment.is_none() && self.external_made == 0 && !self.is_silent {
            self.concealment = Some(self.begin_concealment());
        }
    }

    fn history(&self) -> usize {
        self.rate.per_ms() * HISTORY_MS
    }

    fn lag_samples(&self, ms: f32) -> usize {
        (ms * self.rate.per_ms() as f32) as usize
    }

    /// One sample of repeated sound for the place `at`.
    fn repeat(&self, state: &mut Concealment, at: usize, read: impl Fn(&[i16], usize) -> i16) -> i16 {
        let ms = self.rate.per_ms();
        let source = f32::from(read(&self.buffer, at.saturating_sub(state.lag)));
        let decay = 1.0 - state.lag as f32 / (DECAY_MS * ms as f32);
        let (from, to) = (FADE_FROM_MS * ms, MAX_CONCEAL_MS * ms);
        let left = to.saturating_sub(state.made) as f32 / (to - from) as f32;
        let value = source * decay * left.min(1.0) + state.offset;
        state.offset *= 1.0 - 1.0 / (2 * ms) as f32;
        state.made += 1;
        if left <= 0.0 { 0 } else { to_i16(value) }
    }

    fn begin_concealment(&self) -> Concealment {
        let ms = self.rate.per_ms();
        if self.is_silent {
            return Concealment { lag: 10 * ms, made: MAX_CONCEAL_MS * ms, offset: 0.0 };
        }
        let lag = self.conceal_lag();
        let last = |back: usize| f32::from(self.buffer.get(self.end - 1 - back).copied().unwrap_or(0));
        let decay = 1.0 - lag as f32 / (DECAY_MS * ms as f32);
        Concealment { lag, made: 0, offset: last(0) - decay * last(lag) }
    }

    /// Joins decoded samples at the end of the buffer to the repetition that went on until there.
    fn join(&mut self, count: usize) {
        let length = (self.rate.per_ms() * JOIN_MS).min(count);
        let mut state = match self.concealment {
            Some(state) => state,
            None => self.begin_concealment(),
        };
        let mut past = [0_i16; MAX_JOIN];
        for i in 0..length {
            let end = self.end;
            let value = self.repeat(&mut state, end + i, |buffer, place| {
                let again = place.checked_sub(end).and_then(|i| past.get(i));
                again.or(buffer.get(place)).copied().unwrap_or(0)
            });
            if let Some(slot) = past.get_mut(i) {
                *slot = value;
            }
        }
        let fresh = self.buffer.get_mut(self.end..self.end + length).unwrap_or_default();
        for (i, (slot, old)) in fresh.iter_mut().zip(past).enumerate() {
            let weight = (i + 1) as f32 / (length + 1) as f32;
            *slot = to_i16(f32::from(*slot) * weight + f32::from(old) * (1.0 - weight));
        }
    }

    fn external_gain(&self) -> f32 {
        if self.is_silent {
            return 0.0;
        }
        let ms = self.rate.per_ms();
        let (from, to) = (MAX_CONCEAL_MS / 4 * ms, MAX_CONCEAL_MS * ms);
        (to.saturating_sub(self.external_made) as f32 / (to - from) as f32).min(1.0)
    }

    /// The codec joins its own sound, unless part of the gap was left out: the step is smoothed and the gain comes
    /// back.
    fn ramp_after_external(&mut self, count: usize) {
        let gain = self.external_gain();
        let length = (self.rate.per_ms() * JOIN_MS).min(count);
        let last = |back: usize| f32::from(self.buffer.get(self.end - back).copied().unwrap_or(0));
        let expected = 2.0 * last(1) - last(2);
        let fresh = self.buffer.get_mut(self.end..self.end + length).unwrap_or_default();
        let step = expected - fresh.first().map_or(0.0, |x| f32::from(*x) * gain);
        for (i, slot) in fresh.iter_mut().enumerate() {
            let weight = (i + 1) as f32 / (length + 1) as f32;
            *slot = to_i16(f32::from(*slot) * (gain + (1.0 - gain) * weight) + step * (1.0 - weight));
        }
    }

    fn cross_fade(&self, from: usize, to: usize, i: usize, length: usize) -> i16 {
        let at = |place: usize| f32::from(self.buffer.get(place).copied().unwrap_or(0));
        let weight = (i + 1) as f32 / (length + 1) as f32;
        to_i16(at(from) * (1.0 - weight) + at(to) * weight)
    }

    /// The period with which the end of the sound recurs.
    fn conceal_lag(&self) -> usize {
        let step = self.rate.per_ms() / 8;
        let mut thin = [0.0; SEARCH_SAMPLES];
        let from = self.end - self.history();
        self.thin_out(from, &mut thin);
        let window = CONCEAL_WINDOW_MS * 8;
        let (_, recent) = thin.split_at(SEARCH_SAMPLES - window);
        let lags = (CONCEAL_LAG_MS.0 * 8.0) as usize..=(CONCEAL_LAG_MS.1 * 8.0) as usize;
        let coarse = best_lag(lags, |lag| {
            let earlier = thin.get(SEARCH_SAMPLES - window - lag..SEARCH_SAMPLES - lag).unwrap_or_default();
            similarity(recent.iter().copied(), earlier.iter().copied())
        });
        let coarse = coarse.map_or(CONCEAL_WINDOW_MS * 8, |(lag, _)| lag) * step;
        let window = window * step;
        self.refine(coarse, step, |lag| (self.end - window, self.end - window - lag, window))
    }

    /// The period with which the beginning of what waits recurs.
    fn stretch_lag(&self, is_urgent: bool) -> Option<usize> {
        let (start, step) = (self.history(), self.rate.per_ms() / 8);
        let mut thin = [0.0; SEARCH_SAMPLES];
        let available = (self.pending() / step).min(SEARCH_SAMPLES);
        let thin = thin.get_mut(..available)?;
        self.thin_out(start, thin);
        let longest = (available / 2).min((STRETCH_LAG_MS.1 * 8.0) as usize);
        let lags = (STRETCH_LAG_MS.0 * 8.0) as usize..=longest;
        if is_quiet(thin) {
            return (!lags.is_empty()).then_some(longest * step);
        }
        let (lag, likeness) = best_lag(lags, |lag| {
            let (a, b) = (thin.get(..lag).unwrap_or_default(), thin.get(lag..2 * lag).unwrap_or_default());
            similarity(a.iter().copied(), b.iter().copied())
        })?;
        let wanted = if is_urgent { URGENT_SIMILARITY } else { STRETCH_SIMILARITY };
        (likeness >= wanted).then(|| {
            let refined = self.refine(lag * step, step, |lag| (start, start + lag, lag));
            refined.min(self.pending() / 2)
        })
    }

    /// The period with which the sound before `start` goes on after it.
    fn stretch_lag_back(&self, start: usize) -> Option<usize> {
        let step = self.rate.per_ms() / 8;
        let longest = ((self.end - start) / step).min((STRETCH_LAG_MS.1 * 8.0) as usize);
        let mut thin = [0.0; 160];
        let thin = thin.get_mut(..2 * longest)?;
        self.thin_out(start - longest * step, thin);
        let lags = (STRETCH_LAG_MS.0 * 8.0) as usize..=longest;
        if is_quiet(thin) {
            return (!lags.is_empty()).then_some(longest * step);
        }
        let (lag, likeness) = best_lag(lags, |lag| {
            let before = thin.get(longest - lag..longest).unwrap_or_default();
            let after = thin.get(longest..longest + lag).unwrap_or_default();
            similarity(before.iter().copied(), after.iter().copied())
        })?;
        (likeness >= STRETCH_SIMILARITY).then(|| {
            let refined = self.refine(lag * step, step, |lag| (start - lag, start, lag));
            refined.min(self.end - start)
        })
    }

    /// Averages the sound from `first` on down to 8 kHz.
    fn thin_out(&self, first: usize, thin: &mut [f32]) {
        let step = self.rate.per_ms() / 8;
        let source = self.buffer.get(first..).unwrap_or_default().chunks_exact(step);
        for (slot, group) in thin.iter_mut().zip(source) {
            *slot = group.iter().map(|x| f32::from(*x)).sum::<f32>() / step as f32;
        }
    }

    /// The best lag near a coarse one, at the full rate; `pieces` gives two starts and a length to compare.
    fn refine(&self, coarse: usize, step: usize, pieces: impl Fn(usize) -> (usize, usize, usize)) -> usize {
        if step == 1 {
            return coarse;
        }
        let best = best_lag(coarse.saturating_sub(step - 1)..=coarse + step - 1, |lag| {
            let (a, b, length) = pieces(lag);
            let piece = |from: usize| self.buffer.get(from..from + length).unwrap_or_default().iter();
            similarity(piece(a).map(|x| f32::from(*x)), piece(b).map(|x| f32::from(*x)))
        });
        best.map_or(coarse, |(lag, _)| lag)
    }
}

/// The lag of largest likeness; the first of equals.
fn best_lag(lags: std::ops::RangeInclusive<usize>, likeness: impl Fn(usize) -> f32) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for lag in lags {
        let value = likeness(lag);
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((lag, value));
        }
    }
    best
}

/// Normalised correlation.
fn similarity(a: impl Iterator<Item = f32>, b: impl Iterator<Item = f32>) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0, 1.0, 1.0);
    for (x, y) in a.zip(b) {
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt()
}

fn is_quiet(samples: &[f32]) -> bool {
    let sum: f32 = samples.iter().map(|x| x * x).sum();
    sum < QUIET_MEAN_SQUARE * samples.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{largest_step, rms, sine, speech_like};

    const RATES: [SampleRate; 3] = [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000];

    fn push(pcm: &mut Pcm, samples: &[i16]) {
        pcm.space()[..samples.len()].copy_from_slice(samples);
        pcm.commit(0, samples.len());
    }

    fn take(pcm: &mut Pcm, heard: &mut Vec<i16>) {
        let mut out = Frame::silence(pcm.rate);
        pcm.take(&mut out);
        heard.extend_from_slice(out.samples());
    }

    #[test]
    fn a_lost_frame_of_a_tone_is_hardly_heard() {
        for rate in RATES {
            let frame = rate.frame_samples();
            let tone = sine(400.0, rate.hz(), 10_000.0, frame * 10);
            let (mut pcm, mut heard) = (Pcm::new(rate), Vec::new());
            for (n, chunk) in tone.chunks(frame).enumerate() {
                if n == 5 {
                    pcm.conceal(frame)
                } else {
                    push(&mut pcm, chunk)
                }
                take(&mut pcm, &mut heard);
            }
            assert!(largest_step(&heard) <= largest_step(&tone) * 12 / 10, "{rate:?}");
            assert!(rms(&heard[5 * frame..6 * frame]) > 0.7 * rms(&tone[5 * frame..6 * frame]), "{rate:?}");
        }
    }

    #[test]
    fn long_concealment_fades_to_silence_and_comes_back_without_a_click() {
        for rate in RATES {
            let frame = rate.frame_samples();
            let speech = speech_like(rate.hz(), frame * 150);
            let (mut pcm, mut heard) = (Pcm::new(rate), Vec::new());
            for (n, chunk) in speech.chunks(frame).enumerate() {
                if (30..50).contains(&n) {
                    pcm.conceal(frame)
                } else {
                    push(&mut pcm, chunk)
                }
                take(&mut pcm, &mut heard);
            }
            assert!(heard[41 * frame..50 * frame].iter().all(|x| *x == 0), "{rate:?}");
            assert!(largest_step(&heard) <= largest_step(&speech) * 13 / 10, "{rate:?}");
            assert_eq!(heard[60 * frame..], speech[60 * frame..]);
        }
    }

    #[test]
    fn stretching_speech_changes_its_length_but_not_its_smoothness() {
        for rate in RATES {
            for shorten in [true, false] {
                let frame = rate.frame_samples();
                let speech = speech_like(rate.hz(), frame * 400);
                let (mut pcm, mut heard, mut moved) = (Pcm::new(rate), Vec::new(), 0);
                for chunk in speech.chunks(frame) {
                    push(&mut pcm, chunk);
                    moved += if shorten { pcm.shorten(false) } else { pcm.lengthen() };
                    while pcm.pending() >= 2 * frame {
                        take(&mut pcm, &mut heard);
                    }
                }
                assert!(moved > frame * 40, "{rate:?}: moved {moved}");
                let whole = heard.len() + pcm.pending();
                let expected = if shorten { speech.len() - moved } else { speech.len() + moved };
                assert_eq!(whole, expected, "{rate:?}");
                assert!(largest_step(&heard) <= largest_step(&speech) * 12 / 10, "{rate:?} {shorten}");
            }
        }
    }
}
