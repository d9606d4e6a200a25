use std::collections::BTreeMap;
use std::time::Duration;

use model::{CallId, ParticipantId, Roster, RosterParticipant, Timestamp};

/// What each application has been told of who is there.
///
/// Changes that come in a burst are told together, once. What is told is compared with what was told before, so that
/// an application hears of every change and of nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Rosters {
    due: Option<Timestamp>,
    told: BTreeMap<CallId, Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    sequence: u64,
    shown: BTreeMap<ParticipantId, RosterParticipant>,
}

/// Why someone is in a roster of changes no longer (`removedState.reason`).
const REMOVED: &str = "Removed";

impl Rosters {
    /// Something changed: it is told a little later, together with what changes until then.
    pub(super) fn change(&mut self, now: Timestamp, fold: Duration) {
        self.due.get_or_insert_with(|| now.after(fold));
    }

    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether changes are to be told at `now`; they count as told afterwards.
    pub(super) fn take_due(&mut self, now: Timestamp) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    pub(super) fn forget(&mut self, call: CallId) {
        self.told.remove(&call);
    }

    /// What a call is told now that these are there; `None` where that is what it was told before.
    pub(super) fn tell(
        &mut self,
        call: CallId,
        present: Vec<RosterParticipant>,
        is_delta: bool,
    ) -> Option<Roster> {
        let told = self.told.entry(call).or_default();
        let now: BTreeMap<_, _> =
            present.iter().map(|participant| (participant.id, participant.clone())).collect();
        if now == told.shown && told.sequence > 0 {
            return None;
        }
        told.sequence += 1;
        let participants = if is_delta {
            let changed = present
                .into_iter()
                .filter(|participant| told.shown.get(&participant.id) != Some(participant));
            let gone = told.shown.values().filter(|before| !now.contains_key(&before.id));
            let gone =
                gone.map(|before| RosterParticipant { removed: Some(REMOVED.to_owned()), ..before.clone() });
            changed.chain(gone).collect()
        } else {
            present
        };
        told.shown = now;
        Some(Roster { sequence: told.sequence, is_delta, participants })
    }
}
