use call_engine::Chime;
use media_plane::LegId;

use crate::context::Context;
use crate::media::{Job, MediaPort, MixerPort};

/// The one thing that it plays.
const CHIME: Job = Job(1);

/// What announces people in a conference: a member of its mixer that only plays, so that a chime is mixed in once for all
/// who are in, whoever talks. It is there from the first chime on.
#[derive(Default)]
pub(super) struct Bell(Option<MediaPort>);

impl Bell {
    /// Lets everybody hear that somebody came or went. A chime takes the place of the one before.
    pub(super) fn ring(&mut self, context: &Context, mixer: &MixerPort, chime: Chime) {
        if self.0.is_none() {
            match context.media.open_bell(mixer.id()) {
                Ok(port) => {
                    mixer.join(port.leg());
                    self.0 = Some(port);
                }
                Err(error) => tracing::warn!(%error, "failed to open the bell of a conference"),
            }
        }
        if let Some(port) = &self.0
            && let Err(error) = port.play(CHIME, &[context.sounds.chime(chime)])
        {
            tracing::warn!(%error, "failed to ring the bell of a conference");
        }
    }

    /// Whether a leg is the bell's.
    pub(super) fn is(&self, leg: LegId) -> bool {
        self.0.as_ref().is_some_and(|port| port.leg() == leg)
    }
}
