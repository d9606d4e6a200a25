//! What members are in a meeting, which its settings say.

use model::{MeetingRole, OnlineMeeting, ParticipantId, Timestamp};

use super::member::{Member, Standing, State};
use super::page::{CAMERAS, MICROPHONES};
use super::{Conference, Kind};

impl Conference {
    pub(super) fn meeting_changed(&mut self, meeting: Box<OnlineMeeting>, now: Timestamp) {
        let Kind::Meeting(known) = &mut self.kind else { return };
        if meeting.revision < known.revision {
            return;
        }
        *known = meeting;
        let were_silenced = self.silences_attendees;
        self.silences_attendees = self.is_switched_off(MICROPHONES);
        let ids: Vec<ParticipantId> = self.members.keys().copied().collect();
        for id in ids {
            let Some(member) = self.members.get(&id) else { continue };
            let role = self.role_of(&member.standing);
            let waits = matches!(member.state, State::InLobby { .. });
            let is_let_in = waits && self.lets_in(&member.standing, member.has_dialled_in);
            self.set_role(id, role, now);
            if is_let_in && self.has_room_for(1) {
                self.let_in(id, now);
            }
            self.take_away(id, now);
            if were_silenced && !self.silences_attendees {
                self.give_back(id, now);
            }
        }
    }

    /// Ends what somebody does at the moment who may not do it any more.
    fn take_away(&mut self, id: ParticipantId, now: Timestamp) {
        let Some(member) = self.members.get(&id).filter(|member| member.is_person()) else { return };
        if self.may_present(id) {
            return;
        }
        let is_silenced = self.silences_attendees && !member.is_muted_by_server;
        self.stop_sharing(id, now);
        if self.is_switched_off(CAMERAS) {
            self.stop_filming(id, now);
        }
        if is_silenced {
            self.set_muted(id, now, |member| member.is_muted_by_server = true);
        }
    }

    /// Lets somebody speak again who has no way to say so.
    fn give_back(&mut self, id: ParticipantId, now: Timestamp) {
        let has_no_page = |member: &Member| member.is_person() && member.page.is_none();
        if self.members.get(&id).is_some_and(has_no_page) {
            self.set_muted(id, now, |member| member.is_muted_by_server = false);
        }
    }

    fn set_role(&mut self, id: ParticipantId, role: Option<MeetingRole>, now: Timestamp) {
        if let Some(member) = self.members.get_mut(&id).filter(|member| member.role != role) {
            member.role = role;
            self.touch(id, now);
        }
    }

    /// What someone is in the meeting; nothing in a group call, and pictures are nothing.
    pub(super) fn role_of(&self, standing: &Standing) -> Option<MeetingRole> {
        let Kind::Meeting(meeting) = &self.kind else { return None };
        Some(match standing {
            Standing::Application => meeting.role_of_others(true),
            Standing::Guest => meeting.role_of_others(false),
            Standing::Picture => return None,
            Standing::User(user) => meeting.role_of(Some(user)),
        })
    }

    /// Whether a member's role lets it admit, mute and remove.
    pub(super) fn may_present(&self, id: ParticipantId) -> bool {
        self.members.get(&id).and_then(|member| member.role).is_none_or(MeetingRole::can_present)
    }
}
