//! How people go from one conversation to another with their legs.

use model::{CallId, Outcome, ParticipantId, Timestamp, Transferee};

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
        let is_there = self.members.get(&participant).is_some_and(|m| m.is_person() && m.is_present());
        if !is_there {
            return self.tell(by, ConferenceEvent::TransfereeGone);
        }
        self.gone(participant, now);
        self.act(ConferenceEffect::Released(participant));
        self.leave(by, Outcome::Transferred, now);
    }
}
