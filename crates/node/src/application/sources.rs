use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use media_plane::LegId;
use model::ParticipantId;

/// Whose sound comes from which media leg, for an application that hears everybody apart. Clones are one and the same:
/// the call or conference keeps it up to date, the application's audio reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Arc<ArcSwap<BTreeMap<LegId, ParticipantId>>>);

impl Sources {
    /// Replaces all of it.
    pub(crate) fn set(&self, people: Arc<BTreeMap<LegId, ParticipantId>>) {
        self.0.store(people);
    }

    /// Who is heard from that leg.
    pub(crate) fn of(&self, leg: LegId) -> Option<ParticipantId> {
        self.0.load().get(&leg).copied()
    }
}
