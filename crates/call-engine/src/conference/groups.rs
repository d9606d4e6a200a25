use std::collections::BTreeMap;

use model::{AudioRoutingGroup, CallId, ParticipantId, RoutingMode};

use crate::Rejection;

/// The private routes of a conference.
///
/// Whoever is the source of a group is heard by the receivers of its groups and by nobody else; what a receiver hears
/// besides does not change. So whispering is a group from the coach to the one coached.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    all: BTreeMap<String, Kept>,
}

/// A group, and the application's call that made it.
#[derive(Clone, Debug)]
struct Kept {
    group: AudioRoutingGroup,
    by: CallId,
}

impl Groups {
    pub(super) fn iter(&self) -> impl Iterator<Item = &AudioRoutingGroup> {
        self.all.values().map(|kept| &kept.group)
    }

    pub(super) fn get(&self, id: &str) -> Option<&AudioRoutingGroup> {
        self.all.get(id).map(|kept| &kept.group)
    }

    pub(super) fn create(
        &mut self,
        group: AudioRoutingGroup,
        by: CallId,
        is_member: impl Fn(ParticipantId) -> bool,
        most: usize,
    ) -> Result<(), Rejection> {
        if self.all.contains_key(&group.id) {
            return Err(Rejection::GroupExists);
        }
        if self.all.len() >= most {
            return Err(Rejection::TooManyGroups);
        }
        check(&group, is_member)?;
        self.all.insert(group.id.clone(), Kept { group, by });
        Ok(())
    }

    pub(super) fn update(
        &mut self,
        group: AudioRoutingGroup,
        is_member: impl Fn(ParticipantId) -> bool,
    ) -> Result<(), Rejection> {
        let Some(known) = self.all.get_mut(&group.id) else { return Err(Rejection::GroupNotFound) };
        check(&group, is_member)?;
        known.group = group;
        Ok(())
    }

    pub(super) fn delete(&mut self, id: &str) -> Result<(), Rejection> {
        self.all.remove(id).map(|_| ()).ok_or(Rejection::GroupNotFound)
    }

    /// Deletes what a call made.
    pub(super) fn delete_of(&mut self, by: CallId) {
        self.all.retain(|_, kept| kept.by != by);
    }

    /// Forgets someone who left, and groups that it leaves without a source or a receiver.
    pub(super) fn forget(&mut self, participant: ParticipantId) {
        for Kept { group, .. } in self.all.values_mut() {
            group.sources.retain(|source| *source != participant);
            group.receivers.retain(|receiver| *receiver != participant);
        }
        self.all.retain(|_, Kept { group, .. }| !group.sources.is_empty() && !group.receivers.is_empty());
    }

    /// Who alone hears someone; `None` where it is no source.
    pub(super) fn audience_of(&self, source: ParticipantId) -> Option<Vec<ParticipantId>> {
        let mut groups = self.iter().filter(|group| group.sources.contains(&source)).peekable();
        groups.peek()?;
        let mut audience: Vec<_> = groups.flat_map(|group| group.receivers.iter().copied()).collect();
        audience.sort_unstable();
        audience.dedup();
        Some(audience)
    }
}

fn check(group: &AudioRoutingGroup, is_member: impl Fn(ParticipantId) -> bool) -> Result<(), Rejection> {
    let receivers_fit = match group.mode {
        RoutingMode::OneToOne => group.receivers.len() == 1,
        RoutingMode::Multicast => !group.receivers.is_empty(),
    };
    let [source] = group.sources.as_slice() else { return Err(Rejection::GroupInvalid) };
    if !receivers_fit || group.receivers.contains(source) {
        return Err(Rejection::GroupInvalid);
    }
    let all_members = group.sources.iter().chain(&group.receivers).all(|id| is_member(*id));
    if all_members { Ok(()) } else { Err(Rejection::ParticipantNotFound) }
}
