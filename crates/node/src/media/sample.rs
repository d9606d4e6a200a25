//! How media legs are, for people who look.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use media_plane::{LegId, LegSample};
use tokio::sync::oneshot;

use super::{Legs, MediaPort};

/// Questions about one leg that may wait for its thread.
const MAX_ASKED: usize = 16;

/// Who waits to hear how legs are.
pub(super) type Asked = BTreeMap<LegId, Vec<oneshot::Sender<LegSample>>>;

impl Legs {
    pub(super) fn samples(&self) -> MutexGuard<'_, Asked> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on how a leg is.
    pub(super) fn sampled(&self, leg: LegId, sample: LegSample) {
        for asked in self.samples().remove(&leg).into_iter().flatten() {
            // Whoever asked may have gone away.
            let _ = asked.send(sample);
        }
    }
}

impl MediaPort {
    /// Asks how the leg is; nothing comes where it closes, or too many ask.
    pub(crate) fn sample(&self) -> oneshot::Receiver<LegSample> {
        let (reply, sampled) = oneshot::channel();
        let leg = self.name();
        let mut samples = self.media.legs.samples();
        let asked = samples.entry(*leg).or_default();
        asked.retain(|waiting| !waiting.is_closed());
        if asked.len() >= MAX_ASKED || self.media.plane.sample(*leg).is_err() {
            if asked.is_empty() {
                samples.remove(&leg);
            }
            return sampled;
        }
        asked.push(reply);
        sampled
    }
}
