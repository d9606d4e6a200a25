//! How members go, and when a conversation is over.

use model::{CallId, Outcome, ParticipantId, Timestamp};

use super::member::{Side, State};
use super::{Conference, ConferenceEffect, ConferenceEvent, Kind, PersonEvent};
use crate::JobResult;

impl Conference {
    /// An application's call leaves; whom it was calling is called no longer.
    pub(super) fn leave(&mut self, call: CallId, outcome: Outcome, now: Timestamp) {
        let Some((id, _)) = self.app(call) else { return };
        let called: Vec<ParticipantId> = self
            .members
            .iter()
            .filter(
                |(_, member)| matches!(&member.state, State::Invited(invitation) if invitation.by == call),
            )
            .map(|(id, _)| *id)
            .collect();
        self.inviting.retain(|_, inviting| inviting.call != call);
        for participant in called {
            self.send_away(participant, Outcome::CancelledByBot, now);
        }
        self.undo(call, now);
        self.gone(id, now);
        self.free_people(now);
        self.rosters.forget(call);
        self.tell(call, ConferenceEvent::Ended(outcome));
    }

    /// Takes back what an application imposed on others that nobody else may know of.
    fn undo(&mut self, call: CallId, now: Timestamp) {
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.by == call) {
            // Its operation ends with the call.
            hold.is_starting = false;
            let participant = hold.participant;
            self.take_back(participant, JobResult::Done, now);
        }
        let before = self.routes();
        self.groups.delete_of(call);
        self.show_routes(&before);
    }

    /// Once the last application has left, people talk as in any call: nobody could unmute them any more.
    fn free_people(&mut self, now: Timestamp) {
        if self.members.values().any(|member| member.app().is_some()) {
            return;
        }
        let people = self.members.iter().filter(|(_, member)| member.is_person());
        let people: Vec<ParticipantId> = people.map(|(id, _)| *id).collect();
        for id in people {
            self.set_muted(id, now, |member| member.is_muted_by_server = false);
            let Some(member) = self.members.get_mut(&id).filter(|member| !member.is_in_default_group) else {
                continue;
            };
            member.is_in_default_group = true;
            if matches!(member.state, State::In) {
                let audience = self.groups.audience_of(id);
                self.act(ConferenceEffect::SetRoute { participant: id, is_in_default_group: true, audience });
            }
        }
    }

    /// Ends someone's part from this side.
    pub(super) fn send_away(&mut self, id: ParticipantId, outcome: Outcome, now: Timestamp) {
        let Some(member) = self.members.get_mut(&id) else { return };
        match &member.side {
            Side::App(app) => {
                let call = app.call;
                self.leave(call, outcome, now);
            }
            Side::Gallery => self.gone(id, now),
            Side::Person => {
                let before = std::mem::replace(&mut member.state, State::Leaving);
                let has_page = member.page.is_some();
                match &before {
                    State::Leaving => return,
                    State::Invited(invitation) => self.invitation_ended(invitation, Some(outcome)),
                    State::In | State::InLobby { .. } | State::OnHold | State::Shown | State::Waiting => {}
                }
                self.forget(id, &before, now);
                if has_page {
                    self.tell_person(id, PersonEvent::Ended(outcome));
                }
                self.act(ConferenceEffect::EndLeg(id));
            }
        }
    }

    pub(super) fn send_all_away(&mut self, outcome: Outcome, now: Timestamp) {
        let all: Vec<ParticipantId> = self.members.keys().copied().collect();
        for id in all {
            self.send_away(id, outcome, now);
        }
    }

    /// Someone is there no longer.
    pub(super) fn gone(&mut self, id: ParticipantId, now: Timestamp) {
        let Some(member) = self.members.remove(&id) else { return };
        self.forget(id, &member.state, now);
    }

    /// Takes back what a member's state had brought about.
    pub(super) fn forget(&mut self, id: ParticipantId, state: &State, now: Timestamp) {
        match state {
            State::In => self.act(ConferenceEffect::Disconnect(id)),
            State::InLobby { .. } => self.act(ConferenceEffect::StopSound(id)),
            State::OnHold => {
                self.act(ConferenceEffect::StopSound(id));
                self.end_hold(id, JobResult::Done);
            }
            State::Shown => {}
            State::Invited(_) | State::Leaving | State::Waiting => return,
        }
        self.dominant = self.dominant.filter(|dominant| *dominant != id);
        self.stop_sharing(id, now);
        let routes_before = self.routes();
        self.groups.forget(id);
        self.show_routes(&routes_before);
        self.touch(id, now);
    }

    /// Looks whether the conversation goes on.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if self.is_over {
            return;
        }
        let present = self.members.values().filter(|member| member.is_present()).count();
        let called = self.members.values().filter(|m| matches!(m.state, State::Invited(_))).count();
        let waits = self.members.values().any(|m| matches!(m.state, State::Waiting));
        self.has_met |= present >= 2;
        if called == 0 && waits && present == 0 {
            self.send_all_away(Outcome::NobodyJoined, now);
        } else if called == 0 && self.has_met {
            self.settle_after_meeting(present, now);
        }
        if self.alone_until.is_some() && (present != 1 || called > 0) {
            self.alone_until = None;
        }
        self.announce();
        if self.members.values().all(|member| matches!(member.state, State::Shown)) {
            self.is_over = true;
            self.act(ConferenceEffect::Ended);
        }
    }

    /// The same once there have been two, and nobody is being called.
    fn settle_after_meeting(&mut self, present: usize, now: Timestamp) {
        let visible = self.members.values().any(|member| member.is_present() && !member.is_hidden);
        if present > 0 && !visible {
            return self.send_all_away(Outcome::OnlyHiddenLeft, now);
        }
        match &self.kind {
            Kind::Group { initiator } if present == 1 => {
                let is_orphaned = initiator.is_some_and(|call| self.app(call).is_none());
                let outcome = if is_orphaned { Outcome::InitiatorLeft } else { Outcome::EveryoneElseLeft };
                self.send_all_away(outcome, now);
            }
            Kind::Meeting(_) if present == 1 => {
                let until = now.after(self.config.alone_timeout);
                self.alone_until.get_or_insert(until);
            }
            Kind::Group { .. } | Kind::Meeting(_) => {}
        }
    }
}
