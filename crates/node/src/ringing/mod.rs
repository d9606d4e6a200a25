//! Those who are called at once for somebody who waits, and the conversation in which the first who answers meets them.

mod relay;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::{EndCause, RedirectEvent, Refusal};
use media_plane::{LegId, PlaneError};
use model::{CallId, Participant, ParticipantId};

use crate::conference::{ConferenceDoor, ConferenceTaskInput, Person};
use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndEvents};
use crate::ids::RandomIds;
use crate::leg::{Acceptance, Caller, Dialling, Leg};
use crate::phone_network::Payer;
use crate::sip::CallingPhone;

pub(crate) use self::relay::{Relay, RelayEvent};

/// Those who are called. Dropping it calls them no longer.
pub(crate) struct Ringing {
    context: Context,
    place: Place,
    called: BTreeMap<usize, Called>,
}

/// One who is called.
enum Called {
    Application(Relay),
    Person(Box<Party>),
}

/// A person and its leg.
pub(crate) struct Party {
    pub(crate) leg: Leg,
    pub(crate) person: Person,
}

impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Party").finish_non_exhaustive()
    }
}

/// A conversation that nobody is in yet; it is over if this is dropped.
struct Place(Option<ConferenceDoor>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(door) = &self.0 {
            door.close();
        }
    }
}

/// Who is called, and how.
pub(crate) struct Whom<'a> {
    pub(crate) callee: &'a model::Person,
    /// In whose name a number is called.
    pub(crate) payer: Option<Payer>,
    /// As the one who meets it sees it.
    pub(crate) info: Participant,
    pub(crate) caller: &'a Caller,
    pub(crate) tenant: &'a model::TenantId,
    pub(crate) subject: Option<&'a str>,
    /// Where the leg reports to until it is connected.
    pub(crate) events: FarEndEvents,
}

impl Ringing {
    /// Nobody yet; on the media thread of a leg that is to be connected, where there is one.
    pub(crate) fn open(context: &Context, near: Option<LegId>) -> Result<Self, PlaneError> {
        let door = context.conferences.group(context, near)?;
        Ok(Self { context: context.clone(), place: Place(Some(door)), called: BTreeMap::new() })
    }

    /// Calls a person.
    ///
    /// # Errors
    ///
    /// Why it cannot be called.
    pub(crate) async fn call(&mut self, index: usize, whom: Whom<'_>) -> Result<(), EndCause> {
        let door = self.place.0.as_ref().ok_or(EndCause::Internal)?;
        let participant = ParticipantId::next(&mut RandomIds);
        let media = self.context.media.open_for_person(door.mixer, door.inputs.clone(), participant);
        let media = media.map_err(|error| {
            tracing::error!(%error, "failed to open a media leg");
            EndCause::Internal
        })?;
        let dialling = Dialling {
            caller: whom.caller,
            tenant: whom.tenant,
            callee: whom.callee,
            payer: whom.payer,
            line: None,
            subject: whom.subject,
            label: participant.to_string(),
        };
        let leg = Leg::start(&self.context, dialling, Arc::new(media), whom.events).await?;
        let person = Person { participant, info: whom.info, is_held: false };
        self.called.insert(index, Called::Person(Box::new(Party { leg, person })));
        Ok(())
    }

    /// Calls an application, over there by a call of its own.
    pub(crate) fn add(&mut self, index: usize, relay: Relay) {
        self.called.insert(index, Called::Application(relay));
    }

    /// Takes what a person's far end reports, and says what that means; a far end that has gone elsewhere is not asked.
    pub(crate) fn far_end(&mut self, index: usize, event: FarEndEvent) -> Option<RedirectEvent> {
        let Some(Called::Person(party)) = self.called.get_mut(&index) else { return None };
        match party.leg.called(event, &mut party.person.is_held)? {
            Ok(()) => Some(RedirectEvent::Answered),
            Err(cause) => {
                // Dropping its leg hangs up.
                self.called.remove(&index);
                Some(RedirectEvent::Failed(cause))
            }
        }
    }

    /// Takes what an application does with its call.
    pub(crate) fn relayed(&mut self, index: usize, event: RelayEvent) -> Option<RedirectEvent> {
        let Some(Called::Application(relay)) = self.called.get_mut(&index) else { return None };
        let event = relay.handle(event);
        if matches!(event, RedirectEvent::Failed(_)) {
            self.called.remove(&index);
        }
        Some(event)
    }

    /// The call of the application that is called there.
    pub(crate) fn call_of(&self, index: usize) -> Option<CallId> {
        match self.called.get(&index)? {
            Called::Application(relay) => relay.id,
            Called::Person(_) => None,
        }
    }

    /// Keeps something for as long as those talk who meet.
    pub(crate) fn keep(&self, what: Box<dyn Any + Send>) {
        if let Some(door) = &self.place.0 {
            // A conversation that is over has nothing to keep.
            let _ = door.inputs.end(ConferenceTaskInput::Keep(what));
        }
    }

    /// Connects a phone that waits with the one who answered; the others are called no longer.
    pub(crate) fn connect_phone(mut self, index: usize, phone: CallingPhone, person: Person) {
        let far_end = phone.far_end.clone();
        match self.winner(index) {
            Some(Called::Application(relay)) => return relay.connect(phone),
            Some(Called::Person(other)) => {
                if let Ok((leg, acceptance)) = self.answer(phone, &person) {
                    self.meet(*other, Party { leg, person });
                    return acceptance.send();
                }
            }
            None => {}
        }
        far_end.reject(Refusal::Unavailable);
    }

    /// Connects a leg that is up with the one who answered.
    pub(crate) fn connect_leg(mut self, index: usize, party: Party) {
        if let Some(Called::Person(other)) = self.winner(index) {
            self.meet(*other, party);
        }
    }

    /// Brings the one who answered to where it meets somebody who is still on the way there.
    pub(crate) fn await_at(mut self, index: usize) -> Option<Meeting> {
        let Some(Called::Person(party)) = self.winner(index) else { return None };
        self.place.0.as_ref()?.adopt(*party);
        Some(Meeting(std::mem::replace(&mut self.place, Place(None))))
    }

    /// The one who answered; the others hear that somebody did.
    fn winner(&mut self, index: usize) -> Option<Called> {
        let winner = self.called.remove(&index);
        for called in self.called.values_mut() {
            match called {
                Called::Application(relay) => relay.lose(),
                Called::Person(party) => party.leg.lose(),
            }
        }
        winner
    }

    fn answer(&self, phone: CallingPhone, person: &Person) -> Result<(Leg, Acceptance), EndCause> {
        let door = self.place.0.as_ref().ok_or(EndCause::Internal)?;
        let media = self.context.media.open_for_person(door.mixer, door.inputs.clone(), person.participant);
        let media = media.map_err(|error| {
            tracing::error!(%error, "failed to open a media leg");
            EndCause::Internal
        })?;
        Leg::answer(&self.context, phone, Arc::new(media))
    }

    fn meet(&mut self, one: Party, other: Party) {
        if let Some(door) = self.place.0.take() {
            door.adopt(one);
            door.adopt(other);
        }
    }
}

/// A conversation that two are on their way to. It is over if this is dropped before they have met.
pub(crate) struct Meeting(Place);

impl Meeting {
    /// On the media thread of a leg that is to be in it.
    pub(crate) fn open(context: &Context, near: LegId) -> Result<Self, PlaneError> {
        Ok(Self(Place(Some(context.conferences.group(context, Some(near))?))))
    }

    /// Where it is.
    pub(crate) fn door(&self) -> Option<ConferenceDoor> {
        self.0.0.clone()
    }

    /// The two are there.
    pub(crate) fn done(mut self) {
        self.0.0 = None;
    }
}

impl ConferenceDoor {
    /// Takes somebody in whose leg is up. A conversation that is over hangs up on it.
    pub(crate) fn adopt(&self, party: Party) {
        let (events, media) = (party.leg.events.clone(), Arc::clone(&party.leg.media));
        let participant = party.person.participant;
        let adopt = ConferenceTaskInput::AdoptPerson(Box::new(party));
        // It is to know the leg before that reports to it.
        if self.inputs.end(adopt).is_ok() {
            media.move_to(self.inputs.clone(), participant, None);
            events.move_to_conference(self.inputs.clone(), participant);
        }
    }

    /// Sends everybody away.
    pub(crate) fn close(&self) {
        // One that is over is closed already.
        let _ = self.inputs.end(ConferenceTaskInput::Close);
    }
}
