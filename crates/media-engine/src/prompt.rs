//! Prompts: sound that is prepared ahead of time and played frame by frame.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::resample::{resample, to_i16};
use crate::wav::{WavError, WavLimits, read_wav};
use crate::{Frame, SampleRate, ToneGenerator};

/// Ramp at the end of a cancelled prompt, in milliseconds: too short to hear, long enough not to click.
const FADE_MS: usize = 5;
/// Length of the tone before a recording, in milliseconds.
const BEEP_MS: usize = 400;
/// Pitch of that tone in Hz.
const BEEP_HZ: f32 = 1000.0;
/// Peak of that tone, about -18 dBFS: clear, not startling.
const BEEP_AMPLITUDE: i16 = 5800;

/// The sound of a prompt, at every rate that was asked for.
///
/// Shared by all calls that play it.
#[derive(Debug)]
pub struct PromptAudio {
    rate_hz: u32,
    /// Shared with the cell of its rate where it has one.
    source: Arc<[i16]>,
    at_8: OnceLock<Arc<[i16]>>,
    at_16: OnceLock<Arc<[i16]>>,
    at_48: OnceLock<Arc<[i16]>>,
}

impl PromptAudio {
    /// Reads a WAV file as [`read_wav`] does.
    ///
    /// # Errors
    ///
    /// Returns why the file cannot be played.
    pub fn from_wav(file: &[u8], limits: &WavLimits) -> Result<Self, WavError> {
        let audio = read_wav(file, limits)?;
        Ok(Self::from_samples(audio.samples, audio.rate_hz))
    }

    /// A prompt of mono samples at any rate from 4,000 to 192,000 Hz.
    ///
    /// Higher rates than a leg can have are converted down at once, so that an hour of sound never takes more than an
    /// hour at 48 kHz.
    #[must_use]
    pub fn from_samples(samples: Vec<i16>, rate_hz: u32) -> Self {
        let highest = SampleRate::Hz48000.hz();
        let (source, rate_hz): (Arc<[i16]>, u32) = if rate_hz > highest {
            (resample(&samples, rate_hz, highest).into(), highest)
        } else {
            (samples.into(), rate_hz.max(1))
        };
        let cell = |rate: SampleRate| {
            if rate.hz() == rate_hz { OnceLock::from(Arc::clone(&source)) } else { OnceLock::new() }
        };
        let (at_8, at_16, at_48) =
            (cell(SampleRate::Hz8000), cell(SampleRate::Hz16000), cell(SampleRate::Hz48000));
        Self { rate_hz, source, at_8, at_16, at_48 }
    }

    /// The tone that is played before a recording: 0.4 s at 1 kHz.
    #[must_use]
    pub fn beep() -> Self {
        let rate = SampleRate::Hz48000;
        let mut samples = vec![0; rate.per_ms() * BEEP_MS];
        ToneGenerator::sine(BEEP_HZ, BEEP_AMPLITUDE).fill_samples(rate.hz() as f32, &mut samples);
        let ramp = rate.per_ms() * FADE_MS;
        fade_in(&mut samples, ramp);
        samples.reverse();
        fade_in(&mut samples, ramp);
        samples.reverse();
        Self::from_samples(samples, rate.hz())
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let nanos = self.source.len() as u128 * 1_000_000_000 / u128::from(self.rate_hz);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What its samples take in memory: those it was made from, and those of every rate that was asked for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let cells = [&self.at_8, &self.at_16, &self.at_48].into_iter().filter_map(OnceLock::get);
        let converted = cells.filter(|samples| !Arc::ptr_eq(samples, &self.source));
        std::iter::once(&self.source).chain(converted).map(|samples| size_of_val::<[i16]>(samples)).sum()
    }

    /// What the samples at `rate` will take besides [`PromptAudio::bytes`] once they are asked for.
    #[must_use]
    pub fn bytes_to_convert(&self, rate: SampleRate) -> usize {
        if self.cell(rate).get().is_some() {
            return 0;
        }
        let samples = self.source.len() as u64 * u64::from(rate.hz()) / u64::from(self.rate_hz);
        usize::try_from(samples).unwrap_or(usize::MAX).saturating_mul(size_of::<i16>())
    }

    /// The samples at `rate`, converted at the first call; takes milliseconds per second of sound then, so call it
    /// ahead of time and not on a media thread.
    pub fn at_rate(&self, rate: SampleRate) -> Arc<[i16]> {
        self.cell(rate).get_or_init(|| resample(&self.source, self.rate_hz, rate.hz()).into()).clone()
    }

    const fn cell(&self, rate: SampleRate) -> &OnceLock<Arc<[i16]>> {
        match rate {
            SampleRate::Hz8000 => &self.at_8,
            SampleRate::Hz16000 => &self.at_16,
            SampleRate::Hz48000 => &self.at_48,
        }
    }
}

/// Whether a player has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayerState {
    /// The end was not reached yet.
    Playing,
    /// The last sample is in this frame or was in an earlier one.
    Ended,
}

/// Plays a prompt once or in a loop.
///
/// Build it away from the media thread, and drop it there too: it may hold the last reference to the samples.
#[derive(Debug)]
pub struct Player {
    samples: Arc<[i16]>,
    /// Whoever counts what prompts take in memory counts it as long as it is played.
    _prompt: Arc<PromptAudio>,
    rate: SampleRate,
    position: usize,
    is_looped: bool,
    is_cancelled: bool,
}

impl Player {
    /// A player at the beginning of `prompt`; converts to `rate` if that was not done before.
    #[must_use]
    pub fn new(prompt: &Arc<PromptAudio>, rate: SampleRate, is_looped: bool) -> Self {
        Self {
            samples: prompt.at_rate(rate),
            _prompt: Arc::clone(prompt),
            rate,
            position: 0,
            is_looped,
            is_cancelled: false,
        }
    }

    /// Writes the next 20 ms; what lies past the end is silence.
    pub fn fill(&mut self, out: &mut Frame) -> PlayerState {
        out.reset(self.rate);
        if self.is_cancelled {
            self.fade_out(out);
            return PlayerState::Ended;
        }
        let mut room = out.samples_mut();
        while !room.is_empty() {
            let rest = self.samples.get(self.position..).unwrap_or_default();
            if rest.is_empty() {
                if !self.is_looped || self.samples.is_empty() {
                    break;
                }
                self.position = 0;
                continue;
            }
            let count = rest.len().min(room.len());
            let (now, later) = room.split_at_mut(count);
            for (slot, x) in now.iter_mut().zip(rest) {
                *slot = *x;
            }
            self.position += count;
            room = later;
        }
        if !self.is_looped && self.position >= self.samples.len() {
            PlayerState::Ended
        } else {
            PlayerState::Playing
        }
    }

    /// Stops; the next [`Self::fill`] gives a short fade and then silence.
    pub fn cancel(&mut self) {
        self.is_cancelled = true;
    }

    /// How much has been played, of the present round if looped.
    #[must_use]
    pub fn position(&self) -> Duration {
        Duration::from_micros(self.position as u64 * 1_000_000 / u64::from(self.rate.hz()))
    }

    fn fade_out(&mut self, out: &mut Frame) {
        let ramp = self.rate.per_ms() * FADE_MS;
        let rest = self.samples.get(self.position..).unwrap_or_default();
        for (i, (slot, x)) in out.samples_mut().iter_mut().zip(rest).take(ramp).enumerate() {
            *slot = to_i16(f32::from(*x) * (ramp - i - 1) as f32 / ramp as f32);
        }
        self.position = self.samples.len();
    }
}

fn fade_in(samples: &mut [i16], ramp: usize) {
    for (i, slot) in samples.iter_mut().take(ramp).enumerate() {
        *slot = to_i16(f32::from(*slot) * i as f32 / ramp as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{amplitude_at, largest_step, sine};

    #[test]
    fn a_prompt_plays_with_exact_length_at_every_rate() {
        let prompt = Arc::new(PromptAudio::from_samples(sine(300.0, 16_000, 8000.0, 16_000 + 100), 16_000));
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000] {
            let mut player = Player::new(&prompt, rate, false);
            let mut frames = 0;
            let mut out = Frame::silence(rate);
            loop {
                frames += 1;
                if player.fill(&mut out) == PlayerState::Ended {
                    break;
                }
            }
            assert_eq!(frames, 51, "{rate:?}");
            let sounding = rate.hz() as usize * 100 / 16_000;
            assert!(out.samples()[sounding..].iter().all(|x| *x == 0), "{rate:?}");
            assert_eq!(player.fill(&mut out), PlayerState::Ended);
            assert!(out.samples().iter().all(|x| *x == 0));
        }
    }

    #[test]
    fn bytes_are_those_of_every_rate_held_and_none_is_held_twice() {
        let prompt = PromptAudio::from_samples(vec![0; 16_000], 16_000);
        assert_eq!(prompt.bytes(), 32_000);
        assert!(Arc::ptr_eq(&prompt.at_rate(SampleRate::Hz16000), &prompt.source));
        assert_eq!((prompt.bytes(), prompt.bytes_to_convert(SampleRate::Hz48000)), (32_000, 96_000));
        prompt.at_rate(SampleRate::Hz48000);
        assert_eq!(prompt.bytes_to_convert(SampleRate::Hz48000), 0);
        prompt.at_rate(SampleRate::Hz48000);
        assert_eq!(prompt.bytes(), 32_000 + 96_000);
        prompt.at_rate(SampleRate::Hz8000);
        assert_eq!(prompt.bytes(), 32_000 + 96_000 + 16_000);
    }

    #[test]
    fn a_studio_rate_is_held_at_the_highest_rate_of_a_leg() {
        let prompt = PromptAudio::from_samples(sine(300.0, 192_000, 8000.0, 192_000), 192_000);
        assert_eq!((prompt.bytes(), prompt.duration()), (96_000, Duration::from_secs(1)));
        let samples = prompt.at_rate(SampleRate::Hz48000);
        assert!((amplitude_at(&samples[4_800..], 300.0, 48_000) - 8000.0).abs() < 100.0);
    }

    #[test]
    fn a_cancelled_prompt_fades_without_a_click() {
        let prompt = Arc::new(PromptAudio::from_samples(sine(200.0, 8000, 20_000.0, 8000), 8000));
        let mut player = Player::new(&prompt, SampleRate::Hz8000, false);
        let mut out = Frame::silence(SampleRate::Hz8000);
        let mut heard = Vec::new();
        for tick in 0..5 {
            if tick == 3 {
                player.cancel();
            }
            let state = player.fill(&mut out);
            assert_eq!(state == PlayerState::Ended, tick >= 3);
            heard.extend_from_slice(out.samples());
        }
        assert!(largest_step(&heard) < 4000);
        assert!(heard[3 * 160 + 40..].iter().all(|x| *x == 0));
        assert!(heard[3 * 160..3 * 160 + 20].iter().any(|x| x.abs() > 1000));
    }

    #[test]
    fn a_looped_prompt_goes_on_and_an_empty_one_ends() {
        let prompt = Arc::new(PromptAudio::from_samples((1..=100).collect(), 8000));
        let mut player = Player::new(&prompt, SampleRate::Hz8000, true);
        let mut out = Frame::silence(SampleRate::Hz8000);
        assert_eq!(player.fill(&mut out), PlayerState::Playing);
        assert_eq!((out.samples()[99], out.samples()[100], out.samples()[159]), (100, 1, 60));
        let empty = Arc::new(PromptAudio::from_samples(Vec::new(), 8000));
        let mut player = Player::new(&empty, SampleRate::Hz8000, false);
        assert_eq!(player.fill(&mut out), PlayerState::Ended);
    }

    #[test]
    fn the_beep_is_short_and_at_its_pitch() {
        let beep = PromptAudio::beep();
        assert_eq!(beep.duration(), Duration::from_millis(400));
        let samples = beep.at_rate(SampleRate::Hz8000);
        assert!((amplitude_at(&samples[800..2400], 1000.0, 8000) - 5800.0).abs() < 100.0);
        assert!(samples[0].abs() < 100 && samples[3199].abs() < 500);
    }
}
