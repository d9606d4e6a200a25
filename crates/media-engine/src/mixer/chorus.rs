//! Prompts that found no place of their own, as one sound.
//!
//! Few prompts at once are what meetings have, and each of those has a place. Whoever starts more does not take the places
//! that voices need: all further prompts share one. They are heard by all others, but not by each other, and one that is
//! cut off does not fade.

use super::gain;
use super::seat::Converters;
use crate::resample::to_i16;
use crate::{Frame, SampleRate};

/// The rate of the sum: that of prompts.
pub(super) const RATE: SampleRate = SampleRate::Hz16000;

const SAMPLES: usize = RATE.frame_samples();

/// See the module.
#[derive(Debug)]
pub(super) struct Chorus {
    sums: [f32; SAMPLES],
    has_sound: bool,
    samples: [i16; SAMPLES],
    pub(super) converters: Converters,
}

impl Chorus {
    pub(super) fn new() -> Self {
        Self {
            sums: [0.0; SAMPLES],
            has_sound: false,
            samples: [0; SAMPLES],
            converters: Converters::new(RATE),
        }
    }

    /// Forgets what came in this round.
    pub(super) fn clear(&mut self) {
        (self.sums, self.has_sound) = ([0.0; SAMPLES], false);
    }

    /// Adds the frame of one; frames of other rates need converters.
    pub(super) fn add(&mut self, round: u32, frame: &Frame, converters: Option<&mut Converters>) {
        let mut samples = frame.samples();
        if frame.rate() != RATE {
            let from = (frame.rate(), samples);
            let is_converted = converters
                .is_some_and(|converters| converters.convert(round, from, (RATE, &mut self.samples)));
            samples = if is_converted { &self.samples } else { &[] };
        }
        for (sum, x) in self.sums.iter_mut().zip(samples) {
            *sum += f32::from(*x);
        }
        self.has_sound = true;
    }

    /// The sum of this round, where there is any.
    pub(super) fn sum(&mut self) -> Option<&[i16]> {
        if !self.has_sound {
            return None;
        }
        gain::bend_all(&mut self.sums);
        for (slot, sum) in self.samples.iter_mut().zip(&self.sums) {
            *slot = to_i16(*sum);
        }
        self.clear();
        Some(&self.samples)
    }
}
