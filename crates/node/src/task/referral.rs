//! The other party's phone hands the conversation over by itself.

use std::sync::Arc;

use call_engine::{CommandId, EndCause, Input, LegEvent, Refusal, TransferEvent};
use model::{CallState, Invitee, Participant, UserId};

use super::link::Link;
use super::moving::{Place, UnderWay};
use super::{CallInput, CallTask};
use crate::far_end::{FarEndEvent, FarEndEvents, ReferProgress};
use crate::leg::{Caller, Leg};
use crate::referral::{Referral, ReferralStatus, Succession, Successor, counterpart, user_of};
use crate::ringing::Party;
use crate::sip::CallingPhone;

impl CallTask {
    /// Follows the wish of the other party's phone, or refuses it.
    pub(super) async fn referred(&mut self, referral: Referral) {
        let is_free = self.engine.record().state == CallState::Established && self.moving.under_way.is_none();
        let begun = match referral {
            _ if !is_free => Err(EndCause::Unreachable),
            Referral::Call { name, domain } => self.call_successor((&name, &domain)).await,
            Referral::Join(other) => self.ask_for_counterpart(&other),
        };
        if let Link::Leg(leg) = &self.link {
            leg.tell_of_referral(match begun {
                Ok(()) => ReferralStatus::Accepted,
                Err(cause) => ReferralStatus::Refused(Refusal::from(cause)),
            });
        }
    }

    async fn call_successor(&mut self, to: (&str, &str)) -> Result<(), EndCause> {
        let Link::Leg(leg) = &self.link else { return Err(EndCause::Internal) };
        let media = Arc::clone(&leg.media);
        self.moving.round += 1;
        let place = Place { round: self.moving.round, index: 0 };
        let events = FarEndEvents::to(self.own.clone(), move |report| CallInput::Target { place, report })
            .traced(&self.trace);
        let record = self.engine.record();
        let succession = Succession {
            transferor: &self.other_user().ok_or(EndCause::Internal)?,
            to,
            caller: &Caller::Application(record.app.clone()),
            subject: record.subject.as_deref(),
            label: format!("{}-{}", record.id, place.round),
        };
        let successor = Successor::call(&self.context, succession, media, events).await?;
        self.moving.under_way = Some(UnderWay::Succession(Box::new(successor)));
        Ok(())
    }

    /// Asks for the one whom the phone talks to on another leg.
    fn ask_for_counterpart(&mut self, other: &FarEndEvents) -> Result<(), EndCause> {
        let own = self.own.clone();
        let is_asked = counterpart(other, move |party| {
            // A call that is over needs nobody; dropping the leg hangs up.
            let _ = own.end(CallInput::Counterpart(party));
        });
        if !is_asked {
            return Err(EndCause::NotFound);
        }
        self.moving.under_way = Some(UnderWay::AwaitingCounterpart);
        Ok(())
    }

    /// Takes what the far end of the one reports who is called in the other party's place.
    pub(super) fn successor(&mut self, event: FarEndEvent) {
        let Some(UnderWay::Succession(successor)) = &mut self.moving.under_way else { return };
        if let FarEndEvent::Ringing = event {
            return self.tell_of_referral(ReferralStatus::Ringing);
        }
        match successor.far_end(event) {
            None => {}
            Some(Ok(())) => {
                let Some(UnderWay::Succession(successor)) = self.moving.under_way.take() else { return };
                let Successor { leg, user, info, is_held, .. } = *successor;
                self.succeed(leg, (user, info, is_held));
            }
            Some(Err(cause)) => {
                let left_by = successor.left_by;
                self.moving.under_way = None;
                match left_by {
                    Some(end) => self.feed(Input::Leg(LegEvent::Ended(end))),
                    None => self.tell_of_referral(ReferralStatus::Failed(cause)),
                }
            }
        }
    }

    /// The other party's leg is over: so is the call, unless somebody is being called in its place.
    pub(super) fn party_left(&mut self, cause: EndCause) {
        match &mut self.moving.under_way {
            Some(UnderWay::Succession(successor)) if cause == EndCause::HungUp => {
                successor.left_by = Some(cause);
            }
            // A phone that has moved on may hang up without a word (RFC 5589, 6.1).
            Some(UnderWay::Referring { command, is_accepted: true, .. }) if cause == EndCause::HungUp => {
                let command = *command;
                self.moved_on(command);
            }
            Some(
                UnderWay::AwaitingCounterpart
                | UnderWay::Consulting(..)
                | UnderWay::Meeting(_)
                | UnderWay::Redirect(_)
                | UnderWay::Referring { .. }
                | UnderWay::Succession(_)
                | UnderWay::Transfer { .. },
            )
            | None => self.feed(Input::Leg(LegEvent::Ended(cause))),
        }
    }

    /// Takes the one whom the phone talked to on another leg.
    pub(super) fn counterpart(&mut self, party: Option<Box<Party>>) {
        if !matches!(self.moving.under_way, Some(UnderWay::AwaitingCounterpart)) {
            return;
        }
        self.moving.under_way = None;
        let Some(Party { leg, person }) = party.map(|party| *party) else {
            return self.tell_of_referral(ReferralStatus::Failed(EndCause::Unreachable));
        };
        let placed = match &self.application {
            None => Ok(()),
            Some(hosted) => hosted.take_callee(&leg.media, self.callee_participant),
        };
        let user = user_of(&self.context, &person.info);
        match (placed, user) {
            (Ok(()), Some(user)) => {
                leg.media.move_to_call(self.own.clone());
                self.succeed(leg, (user, person.info, person.is_held));
            }
            (placed, _) => {
                tracing::error!(?placed, "failed to take a leg over");
                self.tell_of_referral(ReferralStatus::Failed(EndCause::Internal));
            }
        }
    }

    /// Puts somebody in the place of the other party.
    fn succeed(&mut self, leg: Leg, (user, info, is_held): (UserId, Participant, bool)) {
        // Dropping the leg hangs up.
        let Link::Leg(place) = &mut self.link else { return };
        let events = leg.events.clone();
        place.give_place_to(leg);
        events.move_to_call(self.own.clone());
        self.feed(Input::PartyReplaced { person: user.into(), info: Box::new(info) });
        self.feed(Input::Leg(LegEvent::Held(is_held)));
        self.show_both();
    }

    /// Gives the conversation to another phone of the other party.
    pub(super) fn pulled(&mut self, phone: CallingPhone) {
        let (far_end, events) = (phone.far_end.clone(), phone.events.clone());
        // Whatever moves the call goes on with the phone that it began with.
        if self.engine.record().state != CallState::Established || self.moving.under_way.is_some() {
            return far_end.reject(Refusal::Unavailable);
        }
        events.dialog().give_to(&self.trace);
        let Link::Leg(leg) = &mut self.link else { return far_end.reject(Refusal::Unavailable) };
        if events.has_ended() {
            return;
        }
        match Leg::answer(&self.context, phone, Arc::clone(&leg.media)) {
            Ok((other, acceptance)) => {
                let is_held = other.is_held;
                leg.give_place_to(other);
                events.move_to_call(self.own.clone());
                acceptance.send();
                self.feed(Input::Leg(LegEvent::Held(is_held)));
            }
            Err(_cause) => far_end.reject(Refusal::Unavailable),
        }
    }

    /// Whether the other party's phone is gone, and somebody is being called in its place.
    pub(super) fn has_party_left(&self) -> bool {
        matches!(&self.moving.under_way, Some(UnderWay::Succession(successor)) if successor.left_by.is_some())
    }

    fn tell_of_referral(&self, status: ReferralStatus) {
        if let Link::Leg(leg) = &self.link {
            leg.tell_of_referral(status);
        }
    }

    /// Whether phones are asked to call the targets of transfers by themselves.
    /// Those in the phone network are not: carriers follow no such wish, and what they would call nobody here pays for.
    pub(super) fn refers(&self, target: &Invitee) -> bool {
        let is_among_users = self.other_user().is_some() && target.callee.user().is_some();
        self.context.config.refers_phones && matches!(self.link, Link::Leg(_)) && is_among_users
    }

    /// Asks the other party's phone to call the target by itself.
    pub(super) fn refer(&mut self, command: CommandId, target: &Invitee) -> Result<(), EndCause> {
        let directory = self.context.directory.load();
        let user = target.callee.user().and_then(|user| directory.users.get(user));
        let user =
            user.filter(|user| user.tenant == self.engine.record().tenant).ok_or(EndCause::NotFound)?;
        let Link::Leg(leg) = &self.link else { return Err(EndCause::Internal) };
        leg.refer(&user.address);
        let target = Box::new(target.clone());
        self.moving.under_way = Some(UnderWay::Referring { command, target, is_accepted: false });
        Ok(())
    }

    /// Takes how it goes that the other party's phone calls the target. The target of one that does not is called from here.
    pub(super) async fn refer_progress(&mut self, progress: ReferProgress) {
        let Some(UnderWay::Referring { command, is_accepted, .. }) = &mut self.moving.under_way else {
            return;
        };
        let command = *command;
        match progress {
            ReferProgress::Accepted => {
                *is_accepted = true;
                self.feed(Input::Transfer { command, event: TransferEvent::Accepted });
            }
            ReferProgress::Done => self.moved_on(command),
            ReferProgress::Failed => {
                self.moving.under_way = None;
                self.feed(Input::Transfer { command, event: TransferEvent::Failed });
            }
            ReferProgress::Refused => {
                let Some(UnderWay::Referring { target, .. }) = self.moving.under_way.take() else { return };
                if self.call_target(command, &target, None).await.is_err() {
                    self.feed(Input::Transfer { command, event: TransferEvent::Failed });
                }
            }
        }
    }

    /// The other party talks to the target, over a call of its own.
    fn moved_on(&mut self, command: CommandId) {
        self.moving.under_way = None;
        if let Link::Leg(leg) = std::mem::take(&mut self.link) {
            // Dropping it hangs up.
            leg.events.move_to_nobody();
        }
        self.feed(Input::Transfer { command, event: TransferEvent::Done });
    }
}
