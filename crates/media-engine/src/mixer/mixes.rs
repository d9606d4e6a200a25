//! Sums of sources, each made once however many hear it.
//!
//! A mix is named by who was in it in the round before and who is in it in this one. Who is in both goes on; who is new
//! fades in; who is gone fades out, with its own sound where that is still there, else with what it was in the round
//! before, backwards. So a change of any kind is a ramp and not a step, and needs no memory in the mix.

use super::chorus::Chorus;
use super::members::Members;
use super::sources::{Sources, places};
use super::{gain, mask};
use crate::resample::to_i16;
use crate::{MAX_FRAME_SAMPLES, MAX_TALKERS, SampleRate};

/// Length of a ramp, in milliseconds: too short to be heard as one, long enough not to click.
const FADE_MS: usize = 5;

/// Mixes that are kept for a round: of the most talkers each and of all others, at three rates. More than this, such as
/// with dozens of private routes, are made anew for each who hears them.
const MAX_MIXES: usize = (MAX_TALKERS + 1) * 3;

/// Who was heard in the round before, and who is heard in this one, as sets of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) before: u16,
    pub(super) now: u16,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mixes {
    /// Of even rounds and of odd ones, with one place more than are kept; zeroed memory, of which the system gives what
    /// is written to.
    samples: [Box<[i16]>; 2],
    made: [[Option<(Key, SampleRate)>; MAX_MIXES]; 2],
    parity: usize,
    sums: [f32; MAX_FRAME_SAMPLES],
}

impl Mixes {
    pub(super) fn new() -> Self {
        let samples = || vec![0; MAX_FRAME_SAMPLES * (MAX_MIXES + 1)].into_boxed_slice();
        Self {
            samples: [samples(), samples()],
            made: [[None; MAX_MIXES]; 2],
            parity: 0,
            sums: [0.0; MAX_FRAME_SAMPLES],
        }
    }

    /// Begins a round; the mixes of the one before stay.
    pub(super) fn begin(&mut self, round: u32) {
        self.parity = (round & 1) as usize;
        if let Some(made) = self.made.get_mut(self.parity) {
            *made = [None; MAX_MIXES];
        }
    }

    /// The mix of this round, made if it was not.
    pub(super) fn mix(
        &mut self,
        (key, rate): (Key, SampleRate),
        sources: &mut Sources,
        (members, chorus): (&mut Members, &mut Chorus),
    ) -> &[i16] {
        let made = self.made.get(self.parity).map_or(&[][..], |made| &made[..]);
        let found = made.iter().position(|mix| mix.is_none_or(|mix| mix == (key, rate)));
        let at = found.unwrap_or(MAX_MIXES);
        if made.get(at).copied().flatten().is_none() {
            self.make(at, (key, rate), sources, (members, chorus));
        }
        self.samples(self.parity, at, rate)
    }

    /// The mix of the round before, if somebody heard it.
    pub(super) fn past(&self, key: Key, rate: SampleRate) -> Option<&[i16]> {
        let made = self.made.get(1 - self.parity)?;
        let at = made.iter().position(|mix| *mix == Some((key, rate)))?;
        Some(self.samples(1 - self.parity, at, rate))
    }

    fn samples(&self, parity: usize, at: usize, rate: SampleRate) -> &[i16] {
        let start = at * MAX_FRAME_SAMPLES;
        let samples = self.samples.get(parity).and_then(|all| all.get(start..start + rate.frame_samples()));
        samples.unwrap_or_default()
    }

    fn make(
        &mut self,
        at: usize,
        (key, rate): (Key, SampleRate),
        sources: &mut Sources,
        (members, chorus): (&mut Members, &mut Chorus),
    ) {
        for source in places(key.before | key.now) {
            let Some(found) = sources.get(source) else { continue };
            let converters = if found.is_shared() {
                Some(&mut chorus.converters)
            } else {
                members.get_mut(found.owner).and_then(|owner| owner.seat.converters.as_deref_mut())
            };
            sources.convert(source, rate, converters);
        }
        let start = at * MAX_FRAME_SAMPLES;
        let room = self.samples.get_mut(self.parity);
        let out = room.and_then(|all| all.get_mut(start..start + rate.frame_samples())).unwrap_or_default();
        add_up((key, rate), sources, self.sums.get_mut(..out.len()).unwrap_or_default(), out);
        if let Some(place) = self.made.get_mut(self.parity).and_then(|made| made.get_mut(at)) {
            *place = Some((key, rate));
        }
    }
}

/// Adds up what is heard, over whatever was in `sums`.
fn add_up((key, rate): (Key, SampleRate), sources: &Sources, sums: &mut [f32], out: &mut [i16]) {
    let mut heard = places(key.before | key.now).filter(|source| !sources.is_silent(*source));
    let (first, second) = (heard.next(), heard.next());
    if let (Some(only), None) = (first, second)
        && key.before & key.now & mask(only) != 0
        && sources.gain(only) == (1.0, 1.0)
        && let Some(samples) = sources.samples(only, rate)
    {
        return out.copy_from_slice(samples);
    }
    let ramp = rate.per_ms() * FADE_MS;
    sums.fill(0.0);
    for source in places(key.before | key.now) {
        let (from, to) = sources.gain(source);
        let (was_heard, is_heard) = (key.before & mask(source) != 0, key.now & mask(source) != 0);
        match (sources.samples(source, rate), was_heard, is_heard) {
            (Some(samples), true, true) => add(sums, samples, (from, to), ramp),
            (Some(samples), false, _) => add(sums, samples, (0.0, to), ramp),
            (Some(samples), true, false) => {
                add(sums, samples.get(..ramp).unwrap_or_default(), (from, 0.0), ramp);
            }
            (None, true, _) => {
                let past = sources.past(source, rate).unwrap_or_default().iter().rev().take(ramp);
                for (n, (sum, x)) in sums.iter_mut().zip(past).enumerate() {
                    *sum += f32::from(*x) * from * (ramp - n) as f32 / (ramp + 1) as f32;
                }
            }
            (None, false, _) => {}
        }
    }
    if second.is_some() {
        gain::bend_all(sums);
    }
    for (slot, sum) in out.iter_mut().zip(sums) {
        *slot = to_i16(*sum);
    }
}

/// Adds samples with a gain that moves along a ramp and then stays.
fn add(sums: &mut [f32], samples: &[i16], (from, to): (f32, f32), ramp: usize) {
    let step = (to - from) / (ramp + 1) as f32;
    let (early, late) = samples.split_at(ramp.min(samples.len()));
    let mut gain = from;
    for (sum, x) in sums.iter_mut().zip(early) {
        gain += step;
        *sum += f32::from(*x) * gain;
    }
    for (sum, x) in sums.iter_mut().skip(ramp).zip(late) {
        *sum += f32::from(*x) * to;
    }
}
