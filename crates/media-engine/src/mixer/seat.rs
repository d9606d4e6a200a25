//! What a member brings along: made by whoever has it join, away from the media threads.

use crate::{FrameConverter, SampleRate};

/// Who hears a member, and whom it hears.
///
/// A member with an audience of its own is heard by exactly that. One without is heard by everybody in the default
/// group, if it is in it itself. A member outside the default group hears only those that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    is_in_default_group: bool,
    /// In order, each once.
    names: Option<Box<[u64]>>,
}

impl Audience {
    /// An audience of the members with these names, who need not have joined yet; without names that of the default
    /// group.
    #[must_use]
    pub fn new(is_in_default_group: bool, names: Option<Vec<u64>>) -> Self {
        let names = names.map(|mut names| {
            names.sort_unstable();
            names.dedup();
            names.into_boxed_slice()
        });
        Self { is_in_default_group, names }
    }

    /// Whether the member is in the default group.
    #[must_use]
    pub const fn is_in_default_group(&self) -> bool {
        self.is_in_default_group
    }

    /// Whether it is heard by those that it names rather than by the default group.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.names.is_some()
    }

    /// Whether it names this member.
    #[must_use]
    pub fn names(&self, name: u64) -> bool {
        self.names.as_ref().is_some_and(|names| names.binary_search(&name).is_ok())
    }
}

impl Default for Audience {
    fn default() -> Self {
        Self { is_in_default_group: true, names: None }
    }
}

/// A member on its way into a mixer, or out of it. Making it allocates and computes filters.
#[derive(Debug)]
pub struct Seat {
    pub(super) name: u64,
    pub(super) audience: Box<Audience>,
    pub(super) is_muted: bool,
    pub(super) converters: Option<Box<Converters>>,
}

impl Seat {
    /// A place for the member that is called `name`, which must be its alone; `rate` is that of the frames it is heard
    /// with, where that is known.
    #[must_use]
    pub fn new(name: u64, rate: Option<SampleRate>, audience: Audience, is_muted: bool) -> Self {
        let converters = rate.map(|rate| Box::new(Converters::new(rate)));
        Self { name, audience: Box::new(audience), is_muted, converters }
    }

    /// What the member is called.
    #[must_use]
    pub const fn name(&self) -> u64 {
        self.name
    }
}

/// From the rate of a member to those of its listeners.
#[derive(Debug)]
pub struct Converters {
    from: SampleRate,
    others: [Streaming; 2],
}

/// A converter, and the round in which it was used last.
#[derive(Debug)]
struct Streaming {
    converter: FrameConverter,
    used: u32,
}

impl Converters {
    /// Converters for a member that is heard with frames of this rate. Making them allocates.
    #[must_use]
    pub fn new(from: SampleRate) -> Self {
        let others = match from {
            SampleRate::Hz8000 => [SampleRate::Hz16000, SampleRate::Hz48000],
            SampleRate::Hz16000 => [SampleRate::Hz8000, SampleRate::Hz48000],
            SampleRate::Hz48000 => [SampleRate::Hz8000, SampleRate::Hz16000],
        };
        let others = others.map(|to| Streaming { converter: FrameConverter::new(from, to), used: 0 });
        Self { from, others }
    }

    pub(super) fn from(&self) -> SampleRate {
        self.from
    }

    /// Converts this round's samples from one rate to another; false where it is not for these.
    ///
    /// What was converted rounds ago is forgotten rather than continued.
    pub(super) fn convert(
        &mut self,
        round: u32,
        (from, samples): (SampleRate, &[i16]),
        (to, out): (SampleRate, &mut [i16]),
    ) -> bool {
        let streaming = self.others.iter_mut().find(|streaming| streaming.converter.to() == to);
        let Some(streaming) = streaming.filter(|_| self.from == from) else { return false };
        if streaming.used.wrapping_add(1) != round {
            streaming.converter.reset();
        }
        streaming.used = round;
        streaming.converter.convert_samples(samples, out);
        true
    }
}
