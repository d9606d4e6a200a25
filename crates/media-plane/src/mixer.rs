//! A mixer on its media thread.

use crate::{MixerConfig, MixerId};

/// See [`crate::MediaPlane::open_mixer`].
#[derive(Debug)]
pub(crate) struct Mixer {
    pub(crate) id: MixerId,
}

impl Mixer {
    pub(crate) fn new(id: MixerId, _config: MixerConfig) -> Self {
        Self { id }
    }
}
