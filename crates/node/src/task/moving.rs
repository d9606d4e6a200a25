//! A call that moves: sent on to others before it is answered, or its other party handed over to someone else.

use call_engine::{CommandId, EndCause, Input, RedirectEvent, Refusal, TransferEvent};
use media_plane::MixerId;
use model::{
    CallKind, CallState, Callee, InvitationParticipant, Invitee, MediaState, Participant, ParticipantId,
    Person, RedirectTarget, UserId,
};

use super::link::Link;
use super::perform::payer_of;
use super::{CallInput, CallTask};
use crate::calls::Registered;
use crate::conference::Person as Member;
use crate::far_end::{FarEndEvent, FarEndEvents};
use crate::incoming;
use crate::inputs::Inputs;
use crate::leg::Caller;
use crate::media;
use crate::referral::Successor;
use crate::ringing::{Meeting, Party, Relay, RelayEvent, Ringing, Whom};

/// What a call is doing to move.
#[derive(Default)]
pub(super) struct Moving {
    /// Tells the targets of one move from those of the next.
    pub(super) round: u64,
    pub(super) under_way: Option<UnderWay>,
}

/// A move, until it has succeeded or failed. Dropping it calls its targets no longer.
pub(super) enum UnderWay {
    /// The one whom the other party's phone talks to on another leg is asked for.
    AwaitingCounterpart,
    /// Another call of the application is asked for its leg.
    Consulting(CommandId, Meeting),
    /// The target is there and the transferee is on its way.
    Meeting(Meeting),
    Redirect(Ringing),
    /// The other party's phone calls the target by itself.
    Referring {
        command: CommandId,
        target: Box<Invitee>,
        is_accepted: bool,
    },
    /// Somebody is called in the other party's place.
    Succession(Box<Successor>),
    Transfer {
        command: CommandId,
        ringing: Ringing,
        transferee: Option<ParticipantId>,
    },
}

/// Names one target of one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) round: u64,
    pub(super) index: usize,
}

impl CallTask {
    /// Calls all targets at once for a phone that waits.
    pub(super) async fn redirect_leg(&mut self, targets: Vec<RedirectTarget>, registered: &Registered) {
        let mut ringing = match Ringing::open(&self.context, None) {
            Ok(ringing) => ringing,
            Err(error) => {
                tracing::error!(%error, "failed to open a conversation");
                return self.none_rings(targets.len());
            }
        };
        self.moving.round += 1;
        let mut failed = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            if let Err(cause) = self.ring(&mut ringing, index, target, registered).await {
                failed.push((index, cause));
            }
        }
        self.moving.under_way = Some(UnderWay::Redirect(ringing));
        for (target, cause) in failed {
            self.feed(Input::Redirect { target, event: RedirectEvent::Failed(cause) });
        }
    }

    fn none_rings(&mut self, targets: usize) {
        for target in 0..targets {
            self.feed(Input::Redirect { target, event: RedirectEvent::Failed(EndCause::Internal) });
        }
    }

    /// Calls one of those whom the call is sent on to.
    async fn ring(
        &mut self,
        ringing: &mut Ringing,
        index: usize,
        target: &RedirectTarget,
        registered: &Registered,
    ) -> Result<(), EndCause> {
        let place = Place { round: self.moving.round, index };
        match &target.callee {
            Callee::Phone(number) => {
                self.ring_person(ringing, place, (Person::Phone(*number), &target.target)).await
            }
            Callee::User(user) => {
                self.ring_person(ringing, place, (Person::User(user.clone()), &target.target)).await
            }
            Callee::Application(_) | Callee::ApplicationInstance(_) => {
                let relay = self.send_on(place, target, registered).map_err(|why| match why {
                    Refusal::NotFound => EndCause::NotFound,
                    Refusal::Busy
                    | Refusal::CallerAtLimit
                    | Refusal::Declined
                    | Refusal::Forbidden
                    | Refusal::NotAnswered
                    | Refusal::Occupied
                    | Refusal::Unavailable => EndCause::Unreachable,
                })?;
                ringing.add(index, relay);
                Ok(())
            }
        }
    }

    /// Calls somebody whom the call is sent on to. A phone shows who calls, not who sent the call on.
    async fn ring_person(
        &mut self,
        ringing: &mut Ringing,
        place: Place,
        (callee, target): (Person, &InvitationParticipant),
    ) -> Result<(), EndCause> {
        let caller = self.other_party().map(Caller::Person).ok_or(EndCause::Internal)?;
        self.call_person(ringing, place, (&callee, target), &caller).await
    }

    async fn call_person(
        &mut self,
        ringing: &mut Ringing,
        place: Place,
        (callee, target): (&Person, &InvitationParticipant),
        caller: &Caller,
    ) -> Result<(), EndCause> {
        let record = self.engine.record();
        let whom = Whom {
            callee,
            payer: Some(payer_of(record)),
            info: Participant { identity: target.identity.clone(), ..Participant::default() },
            caller,
            tenant: &record.tenant,
            subject: record.subject.as_deref(),
            events: FarEndEvents::to(self.own.clone(), move |report| CallInput::Target { place, report })
                .traced(&self.trace),
        };
        ringing.call(place.index, whom).await
    }

    /// Lets the call ring at another application.
    fn send_on(
        &self,
        place: Place,
        target: &RedirectTarget,
        registered: &Registered,
    ) -> Result<Relay, Refusal> {
        let Link::Calling(phone) = &self.link else { return Err(Refusal::Unavailable) };
        let new = incoming::sent_on(&self.context.directory.load(), self.engine.record(), target)?;
        let own = self.own.clone();
        let report = move |event| {
            // A call that is over connects nobody.
            let _ = own.end(CallInput::Relayed { place, event });
        };
        let (mut relay, stand_in, inputs) = Relay::new(phone, report);
        relay.id = Some(registered.send_on(new, stand_in, inputs)?);
        Ok(relay)
    }

    /// Connects the phone with the one who answered.
    pub(super) fn connect_redirected(&mut self, index: usize, registered: &Registered) {
        let Some(UnderWay::Redirect(ringing)) = self.moving.under_way.take() else { return };
        let Link::Calling(phone) = std::mem::take(&mut self.link) else { return };
        if let Some(call) = ringing.call_of(index) {
            registered.give_caller_to(call);
        }
        let person = self.other_person();
        ringing.connect_phone(index, *phone, person);
    }

    /// Stops calling those who are called for a redirect or a transfer.
    pub(super) fn stop_move(&mut self) {
        self.moving.under_way = None;
    }

    /// Hands the other party over: to somebody who is called now, or to the other party of another call.
    pub(super) async fn transfer(
        &mut self,
        command: CommandId,
        target: Invitee,
        transferee: Option<ParticipantId>,
        registered: &Registered,
    ) {
        let begun = match &target.target.replaces_call_id {
            // The other party's phone hands over in that moment.
            _ if self.moving.under_way.is_some() => Err(EndCause::Internal),
            Some(_) if transferee.is_some() => Err(EndCause::Internal),
            Some(replaced) => self.consult(command, replaced, target.callee.clone(), registered),
            None if self.refers(&target) && transferee.is_none() => self.refer(command, &target),
            None => self.call_target(command, &target, transferee).await,
        };
        if begun.is_err() {
            self.feed(Input::Transfer { command, event: TransferEvent::Failed });
        }
    }

    pub(super) async fn call_target(
        &mut self,
        command: CommandId,
        target: &Invitee,
        transferee: Option<ParticipantId>,
    ) -> Result<(), EndCause> {
        let near = match &self.link {
            Link::Leg(leg) => Some(leg.media.leg()),
            Link::Calling(_) | Link::Member(_) | Link::None => self.own_leg(),
        };
        let mut ringing = Ringing::open(&self.context, near).map_err(|error| {
            tracing::error!(%error, "failed to open a conversation");
            EndCause::Internal
        })?;
        self.moving.round += 1;
        let place = Place { round: self.moving.round, index: 0 };
        let caller = Caller::Application(self.engine.record().app.clone());
        self.call_person(&mut ringing, place, (&target.callee, &target.target), &caller).await?;
        self.moving.under_way = Some(UnderWay::Transfer { command, ringing, transferee });
        Ok(())
    }

    /// Asks another call of the application for its leg to the target.
    fn consult(
        &mut self,
        command: CommandId,
        replaced: &str,
        party: Person,
        registered: &Registered,
    ) -> Result<(), EndCause> {
        let Link::Leg(leg) = &self.link else { return Err(EndCause::Internal) };
        let other = registered.other(replaced).ok_or(EndCause::NotFound)?;
        let meeting = Meeting::open(&self.context, leg.media.leg()).map_err(|error| {
            tracing::error!(%error, "failed to open a conversation");
            EndCause::Internal
        })?;
        let mixer = meeting.door().ok_or(EndCause::Internal)?.mixer;
        let take = CallInput::TakeLeg { party, command, mixer, to: self.own.clone() };
        other.end(take).map_err(|_over| EndCause::NotFound)?;
        self.moving.under_way = Some(UnderWay::Consulting(command, meeting));
        Ok(())
    }

    /// Gives the leg away to another call of the application that asks for it, where it leads to the one who is meant and can
    /// come to where the two are to meet.
    pub(super) fn give_leg(
        &mut self,
        party: &Person,
        mixer: MixerId,
        (command, to): (CommandId, &Inputs<CallInput>),
    ) {
        let is_meant = self.other_party().as_ref() == Some(party);
        let is_free = self.engine.record().state == CallState::Established && self.moving.under_way.is_none();
        let is_given = match &self.link {
            Link::Leg(leg) if is_meant && is_free => leg
                .media
                .bring_to(mixer)
                .inspect_err(|error| tracing::error!(%error, "failed to move a leg"))
                .is_ok(),
            Link::Calling(_) | Link::Leg(_) | Link::Member(_) | Link::None => false,
        };
        let handed = match std::mem::take(&mut self.link) {
            Link::Leg(leg) if is_given => {
                leg.events.hold();
                Some(Box::new(Party { leg: *leg, person: self.other_person() }))
            }
            link @ (Link::Calling(_) | Link::Leg(_) | Link::Member(_) | Link::None) => {
                self.link = link;
                None
            }
        };
        // A call that is over does not get it, and dropping the leg hangs up: its other party is gone, too.
        let _ = to.end(CallInput::LegHanded { command, handed });
        if is_given {
            self.feed(Input::LegTaken);
        }
    }

    /// Takes the leg that another call gave away, and connects its own other party with it.
    pub(super) fn leg_handed(&mut self, command: CommandId, handed: Option<Box<Party>>) {
        let meeting = match self.moving.under_way.take() {
            Some(UnderWay::Consulting(asked, meeting)) if asked == command => meeting,
            // The transfer was given up meanwhile: whoever is on the leg has nobody to talk to.
            other => {
                self.moving.under_way = other;
                return;
            }
        };
        match (handed, std::mem::take(&mut self.link), meeting.door()) {
            (Some(handed), Link::Leg(leg), Some(door)) => {
                self.feed(Input::Transfer { command, event: TransferEvent::Accepted });
                let person = self.other_person();
                door.adopt(Party { leg: *leg, person });
                door.adopt(*handed);
                meeting.done();
                self.feed(Input::Transfer { command, event: TransferEvent::Done });
            }
            (_, link, _) => {
                self.link = link;
                self.feed(Input::Transfer { command, event: TransferEvent::Failed });
            }
        }
    }

    /// A person reports who is called for a redirect or a transfer.
    pub(super) fn target(&mut self, place: Place, event: FarEndEvent) {
        let is_current = place.round == self.moving.round;
        match self.moving.under_way.as_mut().filter(|_| is_current) {
            Some(UnderWay::Redirect(ringing)) => {
                if let Some(event) = ringing.far_end(place.index, event) {
                    self.feed(Input::Redirect { target: place.index, event });
                }
            }
            Some(UnderWay::Transfer { command, ringing, .. }) => {
                let command = *command;
                match ringing.far_end(place.index, event) {
                    Some(RedirectEvent::Answered) => self.target_answered(),
                    Some(RedirectEvent::Failed(_)) => {
                        self.moving.under_way = None;
                        self.feed(Input::Transfer { command, event: TransferEvent::Failed });
                    }
                    None => {}
                }
            }
            Some(UnderWay::Succession(_)) => self.successor(event),
            // Whoever answered is elsewhere, and tells its end there.
            Some(
                UnderWay::AwaitingCounterpart
                | UnderWay::Consulting(..)
                | UnderWay::Meeting(_)
                | UnderWay::Referring { .. },
            )
            | None => {}
        }
    }

    /// Another application reports whom the call was sent on to.
    pub(super) fn relayed(&mut self, place: Place, event: RelayEvent) {
        let is_current = place.round == self.moving.round;
        let Some(UnderWay::Redirect(ringing)) = self.moving.under_way.as_mut().filter(|_| is_current) else {
            return;
        };
        if let Some(event) = ringing.relayed(place.index, event) {
            self.feed(Input::Redirect { target: place.index, event });
        }
    }

    /// The target of a transfer takes the other party.
    fn target_answered(&mut self) {
        let Some(UnderWay::Transfer { command, ringing, transferee }) = self.moving.under_way.take() else {
            return;
        };
        self.feed(Input::Transfer { command, event: TransferEvent::Accepted });
        match (transferee, std::mem::take(&mut self.link)) {
            (None, Link::Leg(leg)) => {
                let person = self.other_person();
                ringing.connect_leg(0, Party { leg: *leg, person });
                self.feed(Input::Transfer { command, event: TransferEvent::Done });
            }
            (Some(transferee), Link::Member(member)) => {
                if let Some(meeting) = ringing.await_at(0) {
                    if let Some(to) = meeting.door() {
                        member.release(transferee, to);
                    }
                    self.moving.under_way = Some(UnderWay::Meeting(meeting));
                }
                self.link = Link::Member(member);
            }
            (_, link @ (Link::Calling(_) | Link::Leg(_) | Link::Member(_) | Link::None)) => {
                self.link = link;
                self.feed(Input::Transfer { command, event: TransferEvent::Failed });
            }
        }
    }

    /// The transferee has left the conference for the target, and the call is over.
    pub(super) fn transferee_met(&mut self) {
        match self.moving.under_way.take() {
            Some(UnderWay::Meeting(meeting)) => meeting.done(),
            other => self.moving.under_way = other,
        }
    }

    /// Answers whoever waits for this call, which is over.
    pub(super) fn leave(&mut self) {
        let waiting: Vec<_> = self.inputs.close().collect();
        for input in waiting {
            if let CallInput::TakeLeg { command, to, .. } = input {
                let _ = to.end(CallInput::LegHanded { command, handed: None });
            } else if let CallInput::Media(event) = input {
                media::discard(event);
            }
        }
    }

    /// The person of a call between two.
    pub(super) fn other_party(&self) -> Option<Person> {
        match &self.engine.record().kind {
            CallKind::PeerToPeer { person } => Some(person.clone()),
            CallKind::Group | CallKind::Meeting => None,
        }
    }

    /// The same, where it is a user.
    pub(super) fn other_user(&self) -> Option<UserId> {
        self.other_party().and_then(|person| person.user().cloned())
    }

    /// The other party, as it goes elsewhere.
    fn other_person(&self) -> Member {
        let is_held = self.engine.record().media_state == Some(MediaState::Inactive);
        Member { participant: self.callee_participant, info: self.callee_info(), is_held }
    }
}
