//! Recognises what is heard: a steady tone, or a sound that is known, while it comes in.
//!
//! Both take frames of 20 ms at 16 kHz as they are heard and tell when they have heard what they wait for, by the count
//! of samples, so that they do not depend on when they are asked.

use std::collections::VecDeque;
use std::time::Duration;

use media_engine::analysis::{amplitude_at, correlate, rms, share_heard_around};
use media_engine::{level_dbfs, resample};

use crate::plan::Sound;

/// The rate of the frames.
pub const RATE_HZ: u32 = 16_000;

/// What a tone is looked for in: 100 ms, which tells pitches apart that are 10 Hz from each other.
const TONE_WINDOW: usize = RATE_HZ as usize / 10;

/// How much of the energy of a window has to be at the pitch: a pure tone through a codec has more than nine tenths.
const TONE_SHARE: f64 = 0.8;

/// Nothing softer is a tone, so that line noise is none. Arbitrary: what people still hear well is above it.
const TONE_LEVEL_DBFS: f32 = -45.0;

/// How many windows in a row, 20 ms from each other, make a tone.
const TONE_WINDOWS: u32 = 3;

/// Waits for a steady tone.
#[derive(Clone, Debug)]
pub struct ToneEar {
    hz: u32,
    window: VecDeque<i16>,
    hits: u32,
}

impl ToneEar {
    /// Waits for a tone of this pitch.
    #[must_use]
    pub fn new(hz: u32) -> Self {
        Self { hz, window: VecDeque::new(), hits: 0 }
    }

    /// Takes the next frame; says whether the tone has been heard for long enough.
    pub fn handle(&mut self, frame: &[i16]) -> bool {
        self.window.extend(frame);
        if self.window.len() > TONE_WINDOW {
            self.window.drain(..self.window.len() - TONE_WINDOW);
        }
        if self.window.len() < TONE_WINDOW {
            return false;
        }
        let window = self.window.make_contiguous();
        let energy = rms(window).powi(2);
        let at_pitch = amplitude_at(window, f64::from(self.hz), RATE_HZ).powi(2) / 2.0;
        let is_tone = level_dbfs(window) > TONE_LEVEL_DBFS && at_pitch > TONE_SHARE * energy;
        self.hits = if is_tone { self.hits + 1 } else { 0 };
        self.hits >= TONE_WINDOWS
    }
}

/// The rate at which sounds are compared: what every codec carries.
const COMPARED_HZ: u32 = 8_000;

/// Samples of a known sound that it is first found by: its first loud stretch of 0.8 s.
const PROBE: usize = COMPARED_HZ as usize * 4 / 5;

/// How alike a stretch has to be to the probe to be looked at closer. Other sound of the same kind of voice stays below.
const CANDIDATE: f64 = 0.5;

/// Every so many samples of a probe are compared at each place.
const STRIDE: usize = 7;

/// Places around a candidate among which the most alike is the one: 10 ms.
const NEIGHBOURS: usize = COMPARED_HZ as usize / 100;

/// How far a jitter buffer may have moved what follows: 60 ms.
const SLACK: usize = COMPARED_HZ as usize * 60 / 1000;

/// What a jitter buffer may still hold when a far end hangs up that has said everything: 400 ms.
const CUT_OFF: usize = COMPARED_HZ as usize * 2 / 5;

/// What is compared first of what follows a probe: two seconds.
const GLANCE: usize = COMPARED_HZ as usize * 2;

/// How much of a known sound has to be heard, in the right order: enough is left for lost packets and a late start, and
/// another sound has less than half.
const SHARE: f64 = 0.6;

/// A known sound that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recognised {
    /// When it began, from the first frame on.
    pub began: Duration,
    /// How much was heard after its end.
    pub after: Duration,
    /// How much of it was heard, 0 to 1.
    pub share: f64,
}

/// Waits for a known sound.
#[derive(Clone, Debug)]
pub struct SoundEar {
    needle: Vec<i16>,
    probe_at: usize,
    probe_len: usize,
    heard: Vec<i16>,
    /// The next place at which the probe is compared.
    next: usize,
    candidate: Option<(usize, f64)>,
    best_share: f64,
}

impl SoundEar {
    /// Waits for this sound.
    #[must_use]
    pub fn new(sound: &Sound) -> Self {
        let needle = resample(sound.samples(), sound.rate_hz(), COMPARED_HZ);
        let probe_len = PROBE.min(needle.len());
        let probe_at = first_loud(&needle, probe_len);
        Self { needle, probe_at, probe_len, heard: Vec::new(), next: 0, candidate: None, best_share: 0.0 }
    }

    /// Takes the next frame; tells where the sound began once all of it has been heard.
    pub fn handle(&mut self, frame: &[i16]) -> Option<Recognised> {
        let halved = frame.chunks(2).map(|pair| {
            let sum: i32 = pair.iter().map(|sample| i32::from(*sample)).sum();
            (sum / 2) as i16
        });
        self.heard.extend(halved);
        loop {
            let (at, _) = self.candidate_in_full()?;
            // What lies before the first frame was not heard; the rest may do.
            let whole_from = at.saturating_sub(self.probe_at);
            if self.heard.len() < whole_from + self.needle.len() + SLACK {
                return None;
            }
            let share = self.share_at(at);
            self.best_share = self.best_share.max(share);
            self.candidate = None;
            if share >= SHARE {
                let end = whole_from + self.needle.len();
                let after = time_of(self.heard.len().saturating_sub(end));
                return Some(Recognised { began: time_of(whole_from), after, share });
            }
            // The pieces were looked for this far around.
            self.next = self.next.max(at + SLACK);
        }
    }

    /// Nothing more is heard: tells where the sound began if enough of it was, though its end was cut off.
    pub fn finish(&mut self) -> Option<Recognised> {
        self.heard.resize(self.heard.len() + SLACK + CUT_OFF, 0);
        self.handle(&[])
    }

    /// How much of the sound was heard, if its probe was heard at that place. All of it is compared only where its beginning is
    /// alike: sound that repeats itself has many such places, and sounds may be long.
    fn share_at(&self, at: usize) -> f64 {
        let anchor = (self.probe_at, at);
        let share = |part: &[i16]| share_heard_around(part, &self.heard, COMPARED_HZ, anchor);
        let beginning = self.needle.get(..self.probe_at + self.probe_len + GLANCE);
        match beginning.map(share) {
            Some(seen) if seen < SHARE * 0.75 => seen,
            Some(_) | None => share(&self.needle),
        }
    }

    /// How much of the sound was heard at most, 0 to 1, for whoever wonders why it was not recognised.
    #[must_use]
    pub const fn best_share(&self) -> f64 {
        self.best_share
    }

    /// The place that is most like the probe among its neighbours, once all of those are known.
    fn candidate_in_full(&mut self) -> Option<(usize, f64)> {
        loop {
            if let Some((at, alike)) = self.candidate
                && self.next > at + NEIGHBOURS
            {
                return Some((at, alike));
            }
            let window = self.heard.get(self.next..self.next + self.probe_len)?;
            let probe = self.needle.get(self.probe_at..self.probe_at + self.probe_len)?;
            let alike = correlate(probe, window, STRIDE);
            let floor = self.candidate.map_or(CANDIDATE, |(_, best)| best);
            if alike > floor {
                self.candidate = Some((self.next, alike));
            }
            self.next += 1;
        }
    }
}

fn time_of(samples: usize) -> Duration {
    Duration::from_secs(samples as u64) / COMPARED_HZ
}

/// Where the first stretch begins that is at least half as strong as the strongest.
fn first_loud(signal: &[i16], length: usize) -> usize {
    let step = (length / 4).max(1);
    let places = || (0..=signal.len().saturating_sub(length)).step_by(step);
    let strength = |at: usize| signal.get(at..at + length).map_or(0.0, |part| rms(part).powi(2));
    let most = places().map(strength).fold(0.0, f64::max);
    places().find(|at| strength(*at) * 2.0 >= most).unwrap_or(0)
}

/// How loud it was at most, for whoever wonders what was heard instead.
#[derive(Clone, Copy, Debug)]
pub struct Loudest {
    dbfs: f32,
}

impl Default for Loudest {
    fn default() -> Self {
        Self { dbfs: level_dbfs(&[]) }
    }
}

/// What is softer is silence to people.
const SILENCE_DBFS: f32 = -60.0;

impl Loudest {
    /// Takes the next frame.
    pub fn handle(&mut self, frame: &[i16]) {
        self.dbfs = self.dbfs.max(level_dbfs(frame));
    }

    /// In words: `silence (-91 dBFS)`, `other sound (-23 dBFS)`.
    #[must_use]
    pub fn words(&self) -> String {
        let what = if self.dbfs < SILENCE_DBFS { "silence" } else { "other sound" };
        format!("{what} ({:.0} dBFS)", self.dbfs)
    }
}

#[cfg(test)]
mod tests {
    use media_engine::analysis::{sine, speech_like};

    use super::*;

    const FRAME: usize = 320;

    fn frames(samples: &[i16]) -> impl Iterator<Item = &[i16]> {
        samples.chunks_exact(FRAME)
    }

    /// After how many milliseconds a tone is recognised.
    fn tone_after(hz: u32, samples: &[i16]) -> Option<usize> {
        let mut ear = ToneEar::new(hz);
        frames(samples).position(|frame| ear.handle(frame)).map(|at| (at + 1) * 20)
    }

    #[test]
    fn a_tone_is_heard_after_a_sixth_of_a_second_and_another_pitch_is_not_it() {
        let tone = sine(440.0, RATE_HZ, 3_000.0, 16_000);
        assert_eq!(tone_after(440, &tone), Some(140));
        for other in [425, 460, 880] {
            assert_eq!(tone_after(other, &tone), None, "{other}");
        }
        assert_eq!(tone_after(440, &speech_like(RATE_HZ, 32_000)), None);
        assert_eq!(tone_after(440, &sine(440.0, RATE_HZ, 30.0, 16_000)), None, "too soft");
        assert_eq!(tone_after(440, &[0; 16_000]), None);
    }

    #[test]
    fn a_tone_with_some_noise_is_a_tone_and_one_of_a_chord_is_not() {
        let tone = sine(440.0, RATE_HZ, 3_000.0, 16_000);
        let with = |other: &[i16], divisor: i16| -> Vec<i16> {
            tone.iter().zip(other).map(|(tone, other)| tone + other / divisor).collect()
        };
        assert!(tone_after(440, &with(&speech_like(RATE_HZ, 16_000), 64)).is_some());
        assert_eq!(tone_after(440, &with(&sine(620.0, RATE_HZ, 3_000.0, 16_000), 1)), None);
    }

    fn sound(samples: Vec<i16>) -> Sound {
        Sound::from_samples(samples, RATE_HZ).unwrap()
    }

    fn recognise(ear: &mut SoundEar, samples: &[i16]) -> Option<Recognised> {
        frames(samples).find_map(|frame| ear.handle(frame))
    }

    #[test]
    fn a_known_sound_is_recognised_and_it_is_told_when_it_began() {
        let speech = speech_like(RATE_HZ, 40_000);
        for before in [0, 5_000, 48_001] {
            let mut line = vec![0; before];
            line.extend(speech.iter().map(|sample| sample / 3));
            line.extend([0; 3_200]);
            let mut ear = SoundEar::new(&sound(speech.clone()));
            let found = recognise(&mut ear, &line).unwrap();
            assert!(found.share > 0.95, "{found:?}");
            let off = found.began.as_millis().abs_diff(before as u128 / 16);
            assert!(off <= 2, "{found:?} after {before} samples");
        }
    }

    #[test]
    fn sound_that_lost_pieces_is_recognised_and_other_sound_is_not() {
        let speech = speech_like(RATE_HZ, 48_000);
        let mut line = vec![0; 1_000];
        line.extend(&speech[..20_000]);
        line.extend(&speech[20_300..]);
        line.extend([0; 3_200]);
        line[30_000..33_000].fill(0);
        let mut ear = SoundEar::new(&sound(speech.clone()));
        assert!(recognise(&mut ear, &line).is_some_and(|found| found.share > 0.8));

        let other: Vec<i16> = speech_like(RATE_HZ, 120_000)[60_000..].to_vec();
        let mut ear = SoundEar::new(&sound(speech[..32_000].to_vec()));
        assert_eq!(recognise(&mut ear, &other), None);
        assert!(ear.best_share() < SHARE);
        assert_eq!(recognise(&mut SoundEar::new(&sound(speech)), &[0; 64_000]), None);
    }

    #[test]
    fn even_a_steady_tone_is_recognised_as_a_known_sound() {
        let tone = sine(440.0, RATE_HZ, 6_000.0, 24_000);
        let mut line = vec![0; 8_000];
        line.extend(&tone);
        line.extend([0; 3_200]);
        let found = recognise(&mut SoundEar::new(&sound(tone)), &line).unwrap();
        assert!((480..=520).contains(&found.began.as_millis()), "{found:?}");
    }

    #[test]
    fn what_was_heard_instead_is_told_in_words() {
        let mut loudest = Loudest::default();
        assert_eq!(loudest.words(), "silence (-100 dBFS)");
        loudest.handle(&[1; FRAME]);
        assert_eq!(loudest.words(), "silence (-90 dBFS)");
        loudest.handle(&sine(440.0, RATE_HZ, 3_000.0, FRAME));
        loudest.handle(&[0; FRAME]);
        assert_eq!(loudest.words(), "other sound (-24 dBFS)");
    }
}
