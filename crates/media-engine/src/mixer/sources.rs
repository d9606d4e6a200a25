//! The few that are heard: their sound of this round and of the one before, at every rate that somebody listens at.

use super::seat::Converters;
use super::shares::NOBODY;
use super::{gain, mask};
use crate::{MAX_FRAME_SAMPLES, SampleRate};

/// Sources at once: talkers, those that fade away as others take their place, and prompts; as many as a set has bits.
pub(super) const MAX_SOURCES: usize = 16;

/// Samples of a frame at all three rates.
const SAMPLES: usize = 160 + 320 + MAX_FRAME_SAMPLES;

const RATES: [SampleRate; 3] = [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000];

/// Where one of the few is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Heard for the last time, softer and softer.
    Fading,
    Free,
    Live,
}

/// One that is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) state: State,
    /// The member that it comes from; nobody for the prompts that share a place.
    pub(super) owner: u16,
    /// Whether it is heard whoever else speaks.
    pub(super) is_prompt: bool,
    /// Rounds for which it has been live.
    pub(super) age: u16,
    rate: SampleRate,
    peak: u16,
    /// At the beginning and at the end of this round.
    gain: (f32, f32),
}

impl Source {
    const FREE: Self = Self {
        state: State::Free,
        owner: 0,
        is_prompt: false,
        age: 0,
        rate: SampleRate::Hz8000,
        peak: 0,
        gain: (1.0, 1.0),
    };

    /// Whether it is the place that prompts share.
    pub(super) fn is_shared(&self) -> bool {
        self.is_prompt && self.owner == NOBODY
    }

    /// The rate of its own frames.
    pub(super) fn rate(&self) -> SampleRate {
        self.rate
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sources {
    all: [Source; MAX_SOURCES],
    /// Of even rounds and of odd ones; zeroed memory, of which the system gives what is written to.
    samples: [Box<[i16]>; 2],
    /// The round in which the samples of each rate were written.
    written: [[[u32; RATES.len()]; MAX_SOURCES]; 2],
    round: u32,
}

impl Sources {
    pub(super) fn new() -> Self {
        let samples = || vec![0; SAMPLES * MAX_SOURCES].into_boxed_slice();
        Self {
            all: [Source::FREE; MAX_SOURCES],
            samples: [samples(), samples()],
            written: [[[0; RATES.len()]; MAX_SOURCES]; 2],
            round: 0,
        }
    }

    /// Begins a round: who has faded is gone.
    pub(super) fn begin(&mut self, round: u32) {
        self.round = round;
        for source in self.all.iter_mut().filter(|source| source.state == State::Fading) {
            *source = Source::FREE;
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all = [Source::FREE; MAX_SOURCES];
    }

    /// Forgets one whose member is gone.
    pub(super) fn forget(&mut self, owner: u16) {
        let is_its = |source: &&mut Source| source.state != State::Free && source.owner == owner;
        if let Some(source) = self.all.iter_mut().find(is_its) {
            *source = Source::FREE;
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Source> {
        self.all.get(at)
    }

    /// Those that are heard, with their places.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, &Source)> + Clone {
        self.all.iter().enumerate().filter(|(_, source)| source.state == State::Live)
    }

    /// Gives a member a place, if there is one.
    pub(super) fn admit(&mut self, owner: u16, is_prompt: bool) -> Option<usize> {
        let at = self.all.iter().position(|source| source.state == State::Free)?;
        *self.all.get_mut(at)? = Source { state: State::Live, owner, is_prompt, ..Source::FREE };
        Some(at)
    }

    /// The place that prompts share, while there is one.
    pub(super) fn shared(&self) -> Option<usize> {
        self.live().find(|(_, source)| source.is_shared()).map(|(at, _)| at)
    }

    /// How many prompts have a place of their own.
    pub(super) fn own_prompts(&self) -> usize {
        self.live().filter(|(_, source)| source.is_prompt && !source.is_shared()).count()
    }

    /// Lets one be heard for the last time in this round.
    pub(super) fn dismiss(&mut self, at: usize) {
        if let Some(source) = self.all.get_mut(at) {
            (source.state, source.gain.0) = (State::Fading, source.gain.1);
        }
    }

    /// Takes the sound of this round.
    pub(super) fn write(&mut self, at: usize, rate: SampleRate, samples: &[i16]) {
        let Some(source) = self.all.get_mut(at) else { return };
        source.rate = rate;
        source.peak = samples.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        let (place, index) = place(at, rate);
        let parity = parity(self.round);
        if let Some(room) = self.samples.get_mut(parity).and_then(|all| all.get_mut(place)) {
            for (slot, x) in room.iter_mut().zip(samples) {
                *slot = *x;
            }
        }
        self.note(at, index);
    }

    /// Whether the sound of this round has come.
    pub(super) fn has_sound(&self, at: usize) -> bool {
        let Some(source) = self.all.get(at) else { return false };
        self.is_written(self.round, at, place(at, source.rate).1)
    }

    /// Whether the sound of this round has come and is digital silence.
    pub(super) fn is_silent(&self, at: usize) -> bool {
        self.has_sound(at) && self.all.get(at).is_some_and(|source| source.peak == 0)
    }

    /// Computes how loud everybody is in this round, once it is known who is heard.
    pub(super) fn set_gains(&mut self) {
        let mut peaks = [0.0; MAX_SOURCES];
        let mut count = 0;
        for (slot, (_, source)) in peaks.iter_mut().zip(self.live()) {
            *slot = f32::from(source.peak);
            count += 1;
        }
        let limit = gain::limit(peaks.get_mut(..count).unwrap_or_default());
        for source in self.all.iter_mut().filter(|source| source.state == State::Live) {
            let before = source.gain.1;
            source.gain = (before, gain::follow(before, f32::from(source.peak), limit));
            source.age = source.age.saturating_add(1);
        }
    }

    /// The gain at the beginning and at the end of this round.
    pub(super) fn gain(&self, at: usize) -> (f32, f32) {
        self.all.get(at).map_or((1.0, 1.0), |source| source.gain)
    }

    /// Converts the sound of this round to a rate unless that was done.
    pub(super) fn convert(&mut self, at: usize, to: SampleRate, converters: Option<&mut Converters>) {
        let (Some(source), true) = (self.all.get(at), self.has_sound(at)) else { return };
        let ((native, _), (wanted, index)) = (place(at, source.rate), place(at, to));
        if self.is_written(self.round, at, index) {
            return;
        }
        let (Some(converters), Some(all)) = (converters, self.samples.get_mut(parity(self.round))) else {
            return;
        };
        // The rates of a source lie side by side, the lowest first.
        let (input, output) = if native.start < wanted.start {
            let (low, high) = all.split_at_mut(wanted.start);
            (low.get(native), high.get_mut(..wanted.len()))
        } else {
            let (low, high) = all.split_at_mut(native.start);
            (high.get(..native.len()), low.get_mut(wanted))
        };
        let (Some(input), Some(output)) = (input, output) else { return };
        if converters.convert(self.round, (source.rate, input), (to, output)) {
            self.note(at, index);
        }
    }

    /// The sound of this round at a rate, where there is any.
    pub(super) fn samples(&self, at: usize, rate: SampleRate) -> Option<&[i16]> {
        self.of_round(self.round, at, rate)
    }

    /// The sound of the round before.
    pub(super) fn past(&self, at: usize, rate: SampleRate) -> Option<&[i16]> {
        self.of_round(self.round.wrapping_sub(1), at, rate)
    }

    fn of_round(&self, round: u32, at: usize, rate: SampleRate) -> Option<&[i16]> {
        let (place, index) = place(at, rate);
        let all = self.samples.get(parity(round)).filter(|_| self.is_written(round, at, index))?;
        all.get(place)
    }

    fn is_written(&self, round: u32, at: usize, index: usize) -> bool {
        let rates = self.written.get(parity(round)).and_then(|all| all.get(at));
        rates.and_then(|rates| rates.get(index)) == Some(&round)
    }

    fn note(&mut self, at: usize, index: usize) {
        let rates = self.written.get_mut(parity(self.round)).and_then(|all| all.get_mut(at));
        if let Some(written) = rates.and_then(|rates| rates.get_mut(index)) {
            *written = self.round;
        }
    }
}

/// The bits of those in a set of places.
pub(super) fn places(mask: u16) -> impl Iterator<Item = usize> {
    (0..MAX_SOURCES).filter(move |at| mask & self::mask(*at) != 0)
}

const fn parity(round: u32) -> usize {
    (round & 1) as usize
}

/// Where the samples of a rate lie, and the number of the rate.
fn place(at: usize, rate: SampleRate) -> (std::ops::Range<usize>, usize) {
    let (before, index) = match rate {
        SampleRate::Hz8000 => (0, 0),
        SampleRate::Hz16000 => (160, 1),
        SampleRate::Hz48000 => (480, 2),
    };
    let start = at * SAMPLES + before;
    (start..start + rate.frame_samples(), index)
}
