//! The phone of somebody in a conference hands its place over by itself.

use std::sync::Arc;

use call_engine::{ConferenceInput, EndCause, LegEvent, Refusal};
use model::{ParticipantId, UserId};

use super::{ConferenceDoor, ConferenceTask, ConferenceTaskInput, Person};
use crate::far_end::{FarEndEvent, FarEndEvents};
use crate::leg::{Caller, Leg};
use crate::referral::{Handover, Referral, ReferralStatus, Succession, Successor, counterpart, user_of};
use crate::ringing::Party;
use crate::sip::CallingPhone;

/// Where somebody goes who leaves with its leg.
pub(super) enum Way {
    /// To the one whom its counterpart's phone has handed it to.
    HandedOver(Handover),
    /// To another conversation.
    To(ConferenceDoor),
}

/// Who comes in a member's place.
pub(super) enum Referring {
    /// The one whom its phone talks to on another leg, once that one is given.
    AwaitingCounterpart,
    /// Somebody who is called.
    Successor(Box<Successor>),
}

impl Way {
    pub(super) fn go(self, party: Party) {
        match self {
            // Nobody takes it where the asking call is over; dropping the leg hangs up.
            Self::HandedOver(handover) => {
                party.leg.events.hold();
                drop(handover.send(Box::new(party)));
            }
            Self::To(door) => door.adopt(party),
        }
    }
}

impl ConferenceTask {
    /// Follows the wish of a member's phone, or refuses it.
    pub(super) async fn referred(&mut self, participant: ParticipantId, referral: Referral) {
        let begun = match referral {
            _ if self.is_busy(participant) => Err(EndCause::Unreachable),
            Referral::Call { name, domain } => self.call_successor(participant, (&name, &domain)).await,
            Referral::Join(other) => self.ask_for_counterpart(participant, &other),
        };
        let status = match begun {
            Ok(()) => ReferralStatus::Accepted,
            Err(cause) => ReferralStatus::Refused(Refusal::from(cause)),
        };
        self.tell_of_referral(participant, status);
    }

    async fn call_successor(&mut self, participant: ParticipantId, to: (&str, &str)) -> Result<(), EndCause> {
        let media =
            self.legs.get(&participant).map(|leg| Arc::clone(&leg.media)).ok_or(EndCause::Internal)?;
        let make = move |report| ConferenceTaskInput::Successor { participant, report };
        let events = FarEndEvents::to(self.own.clone(), make);
        let transferor = self.user(participant).ok_or(EndCause::NotFound)?;
        let succession = Succession {
            transferor: &transferor,
            to,
            caller: &self.caller_in_place_of(participant, &transferor),
            subject: None,
            label: format!("{participant}-referred"),
        };
        let successor = Successor::call(&self.context, succession, media, events).await?;
        self.referring.insert(participant, Referring::Successor(Box::new(successor)));
        Ok(())
    }

    /// Whom the one sees calling who is to come in a member's place: whoever it will talk to.
    fn caller_in_place_of(&self, participant: ParticipantId, transferor: &UserId) -> Caller {
        if let Some(side) = self.calls.values().next() {
            return Caller::Application(side.app.clone());
        }
        let other = self.engine.counterpart(participant).and_then(|other| self.user(other));
        Caller::Person(other.unwrap_or_else(|| transferor.clone()).into())
    }

    /// Asks for the one whom a member's phone talks to on another leg.
    fn ask_for_counterpart(
        &mut self,
        participant: ParticipantId,
        other: &FarEndEvents,
    ) -> Result<(), EndCause> {
        let own = self.own.clone();
        let is_asked = counterpart(other, move |party| {
            // A conference that is over needs nobody; dropping the leg hangs up.
            let _ = own.end(ConferenceTaskInput::Counterpart { participant, party });
        });
        if !is_asked {
            return Err(EndCause::NotFound);
        }
        self.referring.insert(participant, Referring::AwaitingCounterpart);
        Ok(())
    }

    /// Takes what the far end of the one reports who is called in a member's place.
    pub(super) fn successor(&mut self, participant: ParticipantId, event: FarEndEvent) {
        let Some(Referring::Successor(successor)) = self.referring.get_mut(&participant) else { return };
        if let FarEndEvent::Ringing = event {
            return self.tell_of_referral(participant, ReferralStatus::Ringing);
        }
        if self.engine.person(participant).is_none() {
            // Who has left or leaves is followed by nobody, and its media is not to be led astray.
            self.referring.remove(&participant);
            return;
        }
        match successor.far_end(event) {
            None => {}
            Some(Ok(())) => {
                let Some(Referring::Successor(successor)) = self.referring.remove(&participant) else {
                    return;
                };
                let Successor { leg, info, is_held, .. } = *successor;
                self.succeed(leg, Person { participant, info, is_held });
            }
            Some(Err(cause)) => {
                let left_by = successor.left_by;
                self.referring.remove(&participant);
                match left_by {
                    Some(end) => self.lose_leg(participant, end),
                    None => self.tell_of_referral(participant, ReferralStatus::Failed(cause)),
                }
            }
        }
    }

    /// Whether somebody is being called in the place of a member whose leg is over. Else nobody is any more.
    pub(super) fn is_succeeded(&mut self, participant: ParticipantId, cause: EndCause) -> bool {
        if let Some(Referring::Successor(successor)) = self.referring.get_mut(&participant)
            && cause == EndCause::HungUp
        {
            successor.left_by = Some(cause);
            return true;
        }
        self.referring.remove(&participant);
        false
    }

    /// Takes the one whom a member's phone talked to on another leg.
    pub(super) fn counterpart(&mut self, participant: ParticipantId, party: Option<Box<Party>>) {
        if !matches!(self.referring.get(&participant), Some(Referring::AwaitingCounterpart)) {
            return;
        }
        self.referring.remove(&participant);
        let Some(Party { leg, person }) = party.map(|party| *party) else {
            return self.tell_of_referral(participant, ReferralStatus::Failed(EndCause::Unreachable));
        };
        if self.engine.person(participant).is_none() {
            // Dropping the leg hangs up.
            return;
        }
        if let Err(error) = leg.media.bring_to(self.mixer.id()) {
            tracing::error!(%error, "failed to take a leg over");
            return self.tell_of_referral(participant, ReferralStatus::Failed(EndCause::Internal));
        }
        leg.media.move_to(self.own.clone(), participant, None);
        self.succeed(leg, Person { participant, ..person });
        self.has_moved = true;
        self.feed(ConferenceInput::MediaReplaced { participant });
    }

    /// Puts somebody in a member's place.
    fn succeed(&mut self, leg: Leg, person: Person) {
        let Person { participant, info, is_held } = person;
        let events = leg.events.clone();
        // Whoever has left meanwhile is succeeded by nobody: dropping the leg hangs up.
        let Some(place) = self.legs.get_mut(&participant) else { return };
        place.give_place_to(leg);
        events.move_to_conference(self.own.clone(), participant);
        self.feed(ConferenceInput::PersonReplaced { participant, info: Box::new(info) });
        self.leg_event(participant, LegEvent::Held(is_held));
    }

    /// Lets the one go whom a phone talks to that hands it over to another leg of its own.
    pub(super) fn give_other(&mut self, participant: ParticipantId, handover: Handover) {
        let Some(other) = self.engine.counterpart(participant) else { return };
        let Some((info, is_held)) = self.engine.person(other) else { return };
        let person = Person { participant: other, info: info.clone(), is_held };
        self.releasing = Some((person, Way::HandedOver(handover)));
        self.feed(ConferenceInput::Depart { participant: other });
    }

    /// Gives somebody's place to another phone of the same user.
    pub(super) fn pulled(&mut self, participant: ParticipantId, phone: CallingPhone) {
        let (far_end, events) = (phone.far_end.clone(), phone.events.clone());
        events.dialog().give_to_nobody();
        if self.is_busy(participant) {
            return far_end.reject(Refusal::Unavailable);
        }
        let Some(leg) = self.legs.get_mut(&participant) else { return far_end.reject(Refusal::Unavailable) };
        if events.has_ended() {
            return;
        }
        match Leg::answer(&self.context, phone, Arc::clone(&leg.media)) {
            Ok((other, acceptance)) => {
                let is_held = other.is_held;
                leg.give_place_to(other);
                events.move_to_conference(self.own.clone(), participant);
                acceptance.send();
                self.leg_event(participant, LegEvent::Held(is_held));
            }
            Err(_cause) => far_end.reject(Refusal::Unavailable),
        }
    }

    /// Whether a member's place is not to be given to anybody now: it is about to be, or the member leaves.
    fn is_busy(&self, participant: ParticipantId) -> bool {
        self.referring.contains_key(&participant) || self.engine.person(participant).is_none()
    }

    /// Whether a member's phone is gone, and somebody is being called in its place.
    pub(super) fn has_left(&self, participant: ParticipantId) -> bool {
        let referring = self.referring.get(&participant);
        matches!(referring, Some(Referring::Successor(successor)) if successor.left_by.is_some())
    }

    fn tell_of_referral(&self, participant: ParticipantId, status: ReferralStatus) {
        if let Some(leg) = self.legs.get(&participant) {
            leg.tell_of_referral(status);
        }
    }

    /// The user behind a person.
    fn user(&self, participant: ParticipantId) -> Option<UserId> {
        let (info, _) = self.engine.person(participant)?;
        user_of(&self.context, info)
    }
}
