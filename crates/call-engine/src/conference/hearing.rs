//! Who hears whom, and who is heard most.

use std::collections::BTreeMap;

use model::{CallId, ParticipantId};

use super::member::{Member, Side, State};
use super::{Conference, ConferenceEffect, ConferenceEvent};

/// Who alone hears each one that is connected; `None` leaves it to the default group.
pub(super) type Routes = BTreeMap<ParticipantId, Option<Vec<ParticipantId>>>;

impl Conference {
    /// Who speaks most at the moment, and the number of its sound; nobody for a call that is not in.
    pub fn dominant_for(&self, call: CallId) -> Option<(ParticipantId, u32)> {
        self.speaker().filter(|_| self.is_in(call))
    }

    /// The number of someone's sound as rosters have it (`sourceId`); `None` for whoever is unknown or has no sound.
    pub fn source_of(&self, participant: ParticipantId) -> Option<u32> {
        let sounds = |member: &&Member| !matches!(member.side, Side::Gallery);
        self.members.get(&participant).filter(sounds).map(|member| member.source)
    }

    pub(super) fn speaker(&self) -> Option<(ParticipantId, u32)> {
        let id = self.dominant?;
        Some((id, self.members.get(&id)?.source))
    }

    /// Notes who is the loudest; whoever is not in any longer is it no longer.
    pub(super) fn hear_most(&mut self, participant: Option<ParticipantId>) {
        let is_in = |id: &ParticipantId| self.members.get(id).is_some_and(Member::is_present);
        self.dominant = participant.filter(is_in);
    }

    /// Tells the calls that asked for it who speaks most where that is not what they know. Whoever comes in knows of
    /// nobody.
    pub(super) fn tell_speaker(&mut self) {
        let speaker = self.speaker();
        for member in self.members.values_mut().filter(|member| member.is_present()) {
            let Side::App(app) = &mut member.side else { continue };
            if app.is_told_of_speakers && app.told_speaker != speaker {
                app.told_speaker = speaker;
                let event = ConferenceEvent::Dominant(speaker);
                self.effects.push_back(ConferenceEffect::Tell { call: app.call, event });
            }
        }
    }

    /// Lets a member hear and be heard, as its settings say.
    pub(super) fn connect(&mut self, id: ParticipantId) {
        let Some(member) = self.members.get(&id) else { return };
        let (is_muted, is_in_default_group) = (member.is_muted(), member.is_in_default_group);
        self.act(ConferenceEffect::Connect(id));
        if is_muted {
            self.act(ConferenceEffect::SetMuted { participant: id, is_muted });
        }
        let audience = self.groups.audience_of(id);
        if !is_in_default_group || audience.is_some() {
            self.act(ConferenceEffect::SetRoute { participant: id, is_in_default_group, audience });
        }
    }

    /// Brings someone's new leg to where the old one was. Routes that lead to it are set anew even while it is taken
    /// aside: they stay in force, and its return sets only its own.
    pub(super) fn media_replaced(&mut self, id: ParticipantId) {
        if self.members.get(&id).is_some_and(|member| matches!(member.state, State::In)) {
            self.connect(id);
        }
        for (participant, audience) in self.routes() {
            if participant != id && audience.as_ref().is_some_and(|audience| audience.contains(&id)) {
                self.set_route(participant, audience);
            }
        }
    }

    /// The routes that are in force.
    pub(super) fn routes(&self) -> Routes {
        let connected = self.members.iter().filter(|(_, member)| matches!(member.state, State::In));
        connected.map(|(id, _)| (*id, self.groups.audience_of(*id))).collect()
    }

    /// Puts into force what has changed in the routes.
    pub(super) fn show_routes(&mut self, before: &Routes) {
        for (participant, audience) in self.routes() {
            if before.get(&participant) != Some(&audience) {
                self.set_route(participant, audience);
            }
        }
    }

    fn set_route(&mut self, participant: ParticipantId, audience: Option<Vec<ParticipantId>>) {
        let is_in_default_group =
            self.members.get(&participant).is_some_and(|member| member.is_in_default_group);
        self.act(ConferenceEffect::SetRoute { participant, is_in_default_group, audience });
    }
}
