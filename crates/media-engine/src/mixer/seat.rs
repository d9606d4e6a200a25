//! What a member brings along: made by whoever has it join, away from the media threads.

use crate::{FrameConverter, SampleRate};

/// Who hears a member, and whom it hears.
///
/// A member with listeners of its own is heard by exactly those. One without is heard by everybody in the default group,
/// if it is in it itself. A member outside the default group hears only those that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    is_in_default_group: bool,
    /// In order, each once.
    names: Option<Box<[u64]>>,
}

impl Audience {
    /// An audience of the members with these names, who need not have joined yet; without names of the default group.
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

/// A member on its way into a mixer. Making it allocates and computes filters.
#[derive(Debug)]
pub struct Seat {
    pub(crate) name: u64,
    pub(crate) audience: Box<Audience>,
    pub(crate) is_muted: bool,
    pub(crate) converters: Option<Box<Converters>>,
}

impl Seat {
    /// A place for the member that is called `name`, which must be its alone; `rate` is that of the frames it is heard
    /// with, where that is known.
    #[must_use]
    pub fn new(name: u64, rate: Option<SampleRate>, audience: Audience, is_muted: bool) -> Self {
        let converters = rate.map(|rate| Box::new(Converters::new(rate)));
        Self { name, audience: Box::new(audience), is_muted, converters }
    }
}

/// From the rate of a member to those of its listeners.
#[derive(Debug)]
pub struct Converters {
    from: SampleRate,
    others: [FrameConverter; 2],
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
        Self { from, others: others.map(|to| FrameConverter::new(from, to)) }
    }
}
