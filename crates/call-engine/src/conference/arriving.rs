//! How people come to a meeting by themselves, and how those who are in hear of it.

use std::collections::BTreeSet;

use model::{LobbyBypassScope, MeetingRole, OnlineMeeting, Outcome, ParticipantId, Timestamp, UserId};

use super::input::{Arriving, Chime, Sound, Way};
use super::member::{Member, Side, Standing, State};
use super::page::Page;
use super::{Conference, ConferenceEffect, Kind, PersonEvent};

impl Conference {
    /// Takes somebody who has come to where the meeting has it wait or talk.
    pub(super) fn arrive(&mut self, arriving: Arriving, now: Timestamp) {
        let Arriving { participant, info, user, is_held, way } = arriving;
        let has_dialled_in = way == Way::DialledIn;
        let standing = user.map_or(Standing::Guest, Standing::User);
        let is_let_in = self.lets_in(&standing, has_dialled_in);
        if !self.has_room_for_arrival(is_let_in) {
            if has_dialled_in {
                return self.act(ConferenceEffect::TurnAway(participant));
            }
            self.tell_person(participant, PersonEvent::Ended(Outcome::TooManyParticipants));
            return self.act(ConferenceEffect::EndLeg(participant));
        }
        let until = now.after(self.config.lobby_timeout);
        let state = if is_let_in { State::In } else { State::InLobby { until } };
        let member = self.member(Side::Person, info, state, standing);
        let page = (!has_dialled_in).then(Page::default);
        let is_muted_by_server = self.comes_muted(member.role);
        let member = Member { is_held, has_dialled_in, is_muted_by_server, page, ..member };
        self.add(participant, member, now);
        if is_let_in {
            self.connect(participant);
            self.welcome(participant);
        } else {
            let sound = Sound::Lobby { is_spoken: has_dialled_in };
            self.act(ConferenceEffect::StartSound { participant, sound });
        }
    }

    /// Whoever waits takes nobody's place inside, and waits with so many others only.
    pub(super) fn has_room_for_arrival(&self, is_let_in: bool) -> bool {
        if is_let_in { self.has_room_for(1) } else { self.waiting() < self.config.max_waiting }
    }

    fn waiting(&self) -> usize {
        self.members.values().filter(|member| matches!(member.state, State::InLobby { .. })).count()
    }

    /// Whether so many more may be in, or be called.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        self.members.len() - self.waiting() + more <= self.config.max_participants
    }

    /// Tells somebody who sees no screen that it is in.
    pub(super) fn welcome(&mut self, id: ParticipantId) {
        if self.members.get(&id).is_some_and(|member| member.has_dialled_in) {
            self.act(ConferenceEffect::Welcome(id));
        }
    }

    /// Whether someone comes straight in. Callers who have dialled in do where the meeting lets them, whoever they are.
    pub(super) fn lets_in(&self, standing: &Standing, has_dialled_in: bool) -> bool {
        let Kind::Meeting(meeting) = &self.kind else { return true };
        if has_dialled_in && meeting.lobby_bypass.is_dial_in_bypass_enabled {
            return true;
        }
        let user = match standing {
            Standing::User(user) => Some(user),
            Standing::Application | Standing::Guest | Standing::Picture => None,
        };
        if user.is_some_and(|user| organizes(meeting, user)) {
            return true;
        }
        match meeting.lobby_bypass.scope {
            LobbyBypassScope::Everyone => true,
            LobbyBypassScope::Organization
            | LobbyBypassScope::OrganizationAndFederated
            | LobbyBypassScope::OrganizationExcludingGuests => !matches!(standing, Standing::Guest),
            LobbyBypassScope::Invited => user.is_some_and(|user| meeting.attendee(user).is_some()),
            LobbyBypassScope::Organizer => false,
        }
    }

    /// Announces who came and who went since the last time, where the meeting wants that and somebody is in to hear it.
    ///
    /// Only people: applications are told of, but do not startle anybody.
    pub(super) fn announce(&mut self) {
        let Kind::Meeting(meeting) = &self.kind else { return };
        if !meeting.is_entry_exit_announced {
            self.announced = None;
            return;
        }
        let is_shown = |member: &Member| member.is_person() && member.is_present() && !member.is_hidden;
        let people = self.members.iter().filter(|(_, member)| is_shown(member));
        let people: BTreeSet<ParticipantId> = people.map(|(id, _)| *id).collect();
        // Where it was not announced before, nobody is new.
        let before = self.announced.replace(people.clone()).unwrap_or_else(|| people.clone());
        let is_new = |id: &ParticipantId| people.contains(id) && !before.contains(id);
        let has_come = people.iter().any(is_new);
        let has_gone = !before.is_subset(&people);
        let is_heard = self.members.iter().any(|(id, member)| member.is_present() && !is_new(id));
        if has_come && is_heard {
            self.act(ConferenceEffect::Chime(Chime::Came));
        } else if has_gone && is_heard {
            self.act(ConferenceEffect::Chime(Chime::Went));
        }
    }
}

fn organizes(meeting: &OnlineMeeting, user: &UserId) -> bool {
    matches!(meeting.role_of(Some(user)), MeetingRole::Organizer | MeetingRole::Coorganizer)
}
