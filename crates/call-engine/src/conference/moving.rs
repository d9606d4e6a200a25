//! How people go from one conversation to another with their legs.

use model::{CallId, Outcome, Participant, ParticipantId, Timestamp, Transferee};

use super::member::Member;
use super::requests::{Answered, Progress};
use super::{Conference, ConferenceAnswer, ConferenceEffect, ConferenceEvent};
use crate::Rejection;

impl Conference {
    /// Who is meant by the one who is to be handed over: a person who talks, or is only taken aside.
    pub(super) fn transferee(&self, asking: ParticipantId, transferee: &Transferee) -> Answered {
        let is_meant = |id: &ParticipantId, member: &Member| match transferee {
            Transferee::Participant(participant) => participant == id,
            Transferee::User(user) => {
                let known = member.info.identity.user.as_ref().and_then(|known| known.id.as_deref());
                known.is_some_and(|known| known.eq_ignore_ascii_case(user.as_str()))
            }
        };
        let mut people = self.members.iter().filter(|(_, member)| member.is_person() && member.is_present());
        let meant = people.find(|(id, member)| is_meant(id, member)).map(|(id, _)| *id);
        let meant = meant.ok_or(Rejection::ParticipantNotFound)?;
        self.ensure_presenter(asking)?;
        Ok((ConferenceAnswer::Transferee(meant), Progress::Settled))
    }

    /// Lets someone go with its leg, and the call that asked for it after it (page of `transfer`, from a group call).
    pub(super) fn release(&mut self, participant: ParticipantId, by: CallId, now: Timestamp) {
        if self.app(by).is_none() {
            return;
        }
        if self.depart(participant, now) {
            self.leave(by, Outcome::Transferred, now);
        } else {
            self.tell(by, ConferenceEvent::TransfereeGone);
        }
    }

    /// Lets someone go with its leg; `false` where there is nobody.
    pub(super) fn depart(&mut self, participant: ParticipantId, now: Timestamp) -> bool {
        let is_there = self.members.get(&participant).is_some_and(|m| m.is_person() && m.is_present());
        if is_there {
            self.gone(participant, now);
            self.act(ConferenceEffect::Released(participant));
        }
        is_there
    }

    /// Shows who is there in somebody's place.
    pub(super) fn person_replaced(&mut self, participant: ParticipantId, info: Participant, now: Timestamp) {
        let Some(member) = self.members.get_mut(&participant) else { return };
        if member.is_person() && member.is_present() {
            member.info = info;
            self.touch(participant, now);
        }
    }

    /// Who someone is, and whether it holds the call; only of people who are there.
    pub fn person(&self, participant: ParticipantId) -> Option<(&Participant, bool)> {
        let member =
            self.members.get(&participant).filter(|member| member.is_person() && member.is_present())?;
        Some((&member.info, member.is_held))
    }

    /// The one whom someone talks to, where there are the two alone and both are people.
    pub fn counterpart(&self, participant: ParticipantId) -> Option<ParticipantId> {
        let mut others = self.members.iter().filter(|(id, _)| **id != participant);
        let (id, other) = others.next()?;
        let is_alone = others.next().is_none() && self.members.contains_key(&participant);
        (is_alone && other.is_person() && other.is_present()).then_some(*id)
    }
}
