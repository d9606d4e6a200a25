//! A conference's task: it owns the conference's engine, its mixer and the legs of its people.
//!
//! Calls reach it by their own tasks only: a call asks and leaves, the conference tells. What it tells of durable things
//! is made durable by the call that is told.

mod bell;
mod pages;
mod perform;
mod referral;
mod registry;
mod sounds;

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use call_engine::{
    CommandId, Conference, ConferenceInput, ConferenceRequest, Joining, LegEvent, PersonRequest,
};
use media_engine::PromptAudio;
use model::{
    AppId, AudioRoutingGroup, CallId, OnlineMeeting, OperationId, Outcome, Participant, ParticipantId,
    RosterParticipant, TenantId, Tone,
};
use tokio::sync::oneshot;
use trace::Trace;

use crate::application::Sources;
use crate::console::{AskedSound, MAX_SOUNDS};
use crate::context::Context;
use crate::dial_in::Arrival;
use crate::far_end::{FarEndEvent, FarEndReport};
use crate::ids::RandomIds;
use crate::inputs::{InputQueue, Inputs};
use crate::leg::Leg;
use crate::media::{self, MixerPort, PortEvent};
use crate::phone_network::Payer;
use crate::ringing::Party;
use crate::task::CallInput;

use self::bell::Bell;
use self::pages::Pages;
pub(crate) use self::pages::PicturesRequest;
use self::perform::{KEY, TURNED_AWAY};
use self::referral::{Referring, Way};
use self::registry::Place;
pub(crate) use self::registry::{ConferenceDoor, Conferences};
pub(crate) use self::sounds::Sounds;

/// What a conference's task is told.
pub(crate) enum ConferenceTaskInput {
    /// A call between two becomes this conference.
    Adopt { joining: Box<Joining>, side: Box<CallSide>, leg: Box<Leg>, person: Box<Person> },
    /// Somebody comes whose leg is up.
    AdoptPerson(Box<Party>),
    /// Somebody comes who has dialled in, or has the meeting's page.
    Arrive(Box<Arrival>),
    /// A call asks for something.
    Ask { call: CallId, command: CommandId, operation: OperationId, request: Box<ConferenceRequest> },
    /// Everybody is sent away: the server shuts down, or nobody comes whom it was opened for.
    Close,
    /// Show how many are there.
    Count(oneshot::Sender<usize>),
    /// The one whom a member's phone talked to on another leg; or there is none.
    Counterpart { participant: ParticipantId, party: Option<Box<Party>> },
    /// Show who speaks most.
    ShowDominant { call: CallId, reply: oneshot::Sender<Option<(ParticipantId, u32)>> },
    /// The mixer says who speaks most.
    Dominant(Option<media_plane::LegId>),
    /// A person's far end reports.
    FarEnd { participant: ParticipantId, report: FarEndReport },
    /// Show the private routes.
    Groups { call: CallId, reply: oneshot::Sender<Vec<AudioRoutingGroup>> },
    /// A call joins.
    Join { joining: Box<Joining>, side: Box<CallSide> },
    /// Something is to be kept until the conference is over.
    Keep(Box<dyn Any + Send>),
    /// A call leaves.
    Leave { call: CallId },
    /// A person's media leg reports.
    Media { participant: ParticipantId, event: PortEvent },
    /// The meeting's settings changed.
    MeetingChanged(Box<OnlineMeeting>),
    /// A person asks for something at its page.
    Person { participant: ParticipantId, request: PersonRequest },
    /// The room of pictures reports.
    Pictured(pictures::Event),
    /// A person wants something of pictures at its page.
    Pictures { participant: ParticipantId, request: PicturesRequest },
    /// Somebody is handed over to another conversation, and the call that asked for it goes.
    Release { participant: ParticipantId, by: CallId, to: ConferenceDoor },
    /// The far end of the one reports who is called in a member's place.
    Successor { participant: ParticipantId, report: FarEndReport },
    /// Show how everybody's sound is.
    Sounds(oneshot::Sender<Vec<AskedSound>>),
    /// Show who is there.
    Participants { call: CallId, reply: oneshot::Sender<Vec<RosterParticipant>> },
    /// The application of a call is connected by another leg from here on.
    ReplaceMedia { call: CallId, leg: media_plane::LegId },
    /// The music for someone on hold is there.
    HoldMusic {
        participant: ParticipantId,
        operation: OperationId,
        prompt: Result<Arc<PromptAudio>, Outcome>,
    },
}

impl std::fmt::Debug for ConferenceTaskInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConferenceTaskInput").finish_non_exhaustive()
    }
}

/// A call that is in a conference, as the conference reaches it.
pub(crate) struct CallSide {
    pub(crate) inputs: Inputs<CallInput>,
    pub(crate) app: AppId,
    /// In whose name numbers are called for it.
    pub(crate) payer: Payer,
    pub(crate) tenant: TenantId,
    /// What its call is about.
    pub(crate) subject: Option<String>,
    pub(crate) participant: ParticipantId,
    /// What it plays into the conference and hears of it.
    pub(crate) leg: media_plane::LegId,
    /// Where it looks up whose sound is whose.
    pub(crate) sources: Option<Sources>,
    /// In which the SIP messages of those are kept whom it calls.
    pub(crate) trace: Trace,
}

/// A person whose leg is up when it comes.
pub(crate) struct Person {
    pub(crate) participant: ParticipantId,
    pub(crate) info: Participant,
    pub(crate) is_held: bool,
}

/// A conference's task before and while it runs.
pub(crate) struct ConferenceTask {
    engine: Conference,
    context: Context,
    inputs: InputQueue<ConferenceTaskInput>,
    /// For whoever reports to this conference.
    own: Inputs<ConferenceTaskInput>,
    mixer: MixerPort,
    bell: Bell,
    calls: BTreeMap<CallId, CallSide>,
    legs: BTreeMap<ParticipantId, Leg>,
    /// Of the same, the pages that some have.
    pages: Pages,
    ids: RandomIds,
    /// Who is being handed over, and where to.
    releasing: Option<(Person, Way)>,
    /// Who is called in the place of members whose phones hand over, or asked for.
    referring: BTreeMap<ParticipantId, Referring>,
    /// Keys that are pressed for people.
    keys: BTreeMap<ParticipantId, VecDeque<Tone>>,
    /// Nothing that it needs: what goes when it does.
    kept: Vec<Box<dyn Any + Send>>,
    /// Whether legs have come since applications were told whose sound is whose.
    has_moved: bool,
}

impl ConferenceTask {
    /// Lives the conference to its end.
    pub(crate) async fn run(mut self, place: Place) {
        while self.perform().await {
            let deadline = self.engine.poll_timeout();
            let now = self.context.clock.now();
            let wakes_at = self.context.clock.instant_of(deadline.unwrap_or(now));
            tokio::select! {
                Some(input) = self.inputs.next() => self.take(input).await,
                () = tokio::time::sleep_until(wakes_at), if deadline.is_some() => {
                    self.engine.handle_timeout(self.context.clock.now());
                }
            }
        }
        // Whoever came in the moment in which the last one left finds a new conference.
        drop(place);
        for input in self.inputs.close() {
            if let ConferenceTaskInput::Join { side, .. } = input {
                // A call whose task is over joins nothing.
                let _ = side.inputs.end(CallInput::JoinAgain);
            } else if let ConferenceTaskInput::Arrive(arrival) = input {
                arrival.enter(&self.context);
            }
        }
    }

    async fn take(&mut self, input: ConferenceTaskInput) {
        match input {
            ConferenceTaskInput::Adopt { joining, side, leg, person } => {
                let Person { participant, info, is_held } = *person;
                self.legs.insert(participant, *leg);
                self.calls.insert(joining.call, *side);
                let info = Box::new(info);
                self.feed(ConferenceInput::Adopt { joining, participant, info, is_held });
            }
            ConferenceTaskInput::AdoptPerson(party) => {
                let Party { leg, person: Person { participant, info, is_held } } = *party;
                self.legs.insert(participant, leg);
                let info = Box::new(info);
                self.feed(ConferenceInput::AdoptPerson { participant, info, is_held });
            }
            ConferenceTaskInput::Arrive(arrival) => self.arrive(*arrival),
            ConferenceTaskInput::Ask { call, command, operation, request } => {
                self.feed(ConferenceInput::Ask { call, command, operation, request: *request });
            }
            ConferenceTaskInput::Close => self.feed(ConferenceInput::Close),
            // Whoever asked may have gone away.
            ConferenceTaskInput::Count(reply) => drop(reply.send(self.legs.len() + self.calls.len())),
            ConferenceTaskInput::Counterpart { participant, party } => self.counterpart(participant, party),
            ConferenceTaskInput::Successor { participant, report } => {
                self.successor(participant, report.event);
            }
            // What announces people is none of them.
            ConferenceTaskInput::Dominant(Some(leg)) if self.bell.is(leg) => {}
            ConferenceTaskInput::Dominant(leg) => {
                let participant = leg.and_then(|leg| self.participant_of(leg));
                self.feed(ConferenceInput::Dominant(participant));
            }
            ConferenceTaskInput::FarEnd { participant, report } => self.far_end(participant, report).await,
            ConferenceTaskInput::Join { joining, side } => {
                self.calls.insert(joining.call, *side);
                self.feed(ConferenceInput::Join(joining));
            }
            ConferenceTaskInput::Keep(what) => self.kept.push(what),
            ConferenceTaskInput::Leave { call } => self.feed(ConferenceInput::Leave { call }),
            ConferenceTaskInput::Media { participant, event } => self.media(participant, event),
            ConferenceTaskInput::MeetingChanged(meeting) => {
                self.feed(ConferenceInput::MeetingChanged(meeting));
            }
            ConferenceTaskInput::HoldMusic { participant, operation, prompt } => {
                self.play_hold_music(participant, operation, prompt);
            }
            ConferenceTaskInput::Person { participant, request } => {
                self.feed(ConferenceInput::Person { participant, request });
            }
            ConferenceTaskInput::Pictured(event) => self.pictured(event),
            ConferenceTaskInput::Pictures { participant, request } => {
                let gateway = self.context.applications.webrtc.as_ref();
                self.pages.take(participant, request, gateway, &self.own);
            }
            ConferenceTaskInput::Release { participant, by, to } => self.release(participant, by, to),
            ConferenceTaskInput::ReplaceMedia { call, leg } => self.replace_media(call, leg),
            // Whoever asked may have gone away.
            ConferenceTaskInput::ShowDominant { call, reply } => {
                let _ = reply.send(self.engine.dominant_for(call));
            }
            ConferenceTaskInput::Groups { call, reply } => {
                drop(reply.send(self.engine.groups_for(call).cloned().collect()));
            }
            ConferenceTaskInput::Sounds(reply) => drop(reply.send(self.sounds())),
            ConferenceTaskInput::Participants { call, reply } => {
                drop(reply.send(self.engine.roster_for(call).unwrap_or_default()));
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let arriving = Box::new(arrival.arriving());
        self.legs.insert(arriving.participant, arrival.party.leg);
        if let Some(page) = arrival.page {
            page.entered(self.own.clone());
            self.pages.add(arriving.participant, page);
        }
        self.feed(ConferenceInput::Arrive(arriving));
    }

    fn feed(&mut self, input: ConferenceInput) {
        self.engine.handle(input, self.context.clock.now(), &mut self.ids);
    }

    fn pictured(&mut self, event: pictures::Event) {
        match event {
            pictures::Event::Flowing { page, kind: pictures::Kind::Screen } => {
                if let Some(participant) = self.pages.owner(page) {
                    self.feed(ConferenceInput::ScreenShown { participant });
                }
            }
            // Rosters show what people want to be seen of them. A page sees by itself that its pictures are gone, and offers again.
            pictures::Event::Flowing { kind: pictures::Kind::Camera, .. } | pictures::Event::Gone { .. } => {}
        }
    }

    fn leg_event(&mut self, participant: ParticipantId, event: LegEvent) {
        self.feed(ConferenceInput::Leg { participant, event });
    }

    async fn far_end(&mut self, participant: ParticipantId, report: FarEndReport) {
        let FarEndReport { line, event } = report;
        // Of a far end in whose place there is another one, or none.
        let Some(leg) = self.legs.get_mut(&participant).filter(|leg| leg.events.line() == line) else {
            return;
        };
        match event {
            FarEndEvent::Ringing => self.leg_event(participant, LegEvent::Ringing),
            FarEndEvent::Answered { sdp, source } => match leg.answered(&sdp, source) {
                Ok(is_held) => {
                    self.leg_event(participant, LegEvent::Answered);
                    self.leg_event(participant, LegEvent::Held(is_held));
                }
                Err(cause) => self.lose_leg(participant, cause),
            },
            FarEndEvent::Completed { sdp } => match leg.completed(&sdp) {
                Ok(is_held) => self.leg_event(participant, LegEvent::Held(is_held)),
                Err(cause) => self.lose_leg(participant, cause),
            },
            FarEndEvent::Confirmed { sdp } => match leg.confirmed(sdp.as_deref()) {
                Ok(is_held) => self.leg_event(participant, LegEvent::Held(is_held)),
                Err(cause) => self.lose_leg(participant, cause),
            },
            FarEndEvent::Offered { sdp } => {
                if let Some(is_held) = leg.offered(sdp.as_deref()) {
                    self.leg_event(participant, LegEvent::Held(is_held));
                }
            }
            FarEndEvent::GiveOther(handover) => self.give_other(participant, handover),
            FarEndEvent::Pulled(phone) => self.pulled(participant, *phone),
            FarEndEvent::Referred(referral) => self.referred(participant, referral).await,
            // Only calls between two ask phones to call others.
            FarEndEvent::ReferProgress(_) => {}
            FarEndEvent::Ended(cause) => {
                if self.is_succeeded(participant, cause) {
                    return;
                }
                self.end_of_leg(participant, cause);
            }
        }
    }

    fn media(&mut self, participant: ParticipantId, event: PortEvent) {
        match event {
            PortEvent::JobDone { job: KEY, .. } => self.pressed(participant),
            PortEvent::JobDone { job: TURNED_AWAY, .. } => self.end_leg(participant),
            // Music ends when it is told to; what a call had begun on a leg that has left it is of no use to anybody.
            event @ PortEvent::JobDone { .. } => media::discard(event),
            // Whoever is called in the place of a phone that has left is not heard yet.
            PortEvent::Lost if self.has_left(participant) => {}
            PortEvent::Lost => self.lose_leg(participant, call_engine::EndCause::MediaLost),
            PortEvent::Tone(tone) => self.leg_event(participant, LegEvent::Tone(tone)),
        }
    }

    /// Ends a leg from this side for a reason of its own.
    fn lose_leg(&mut self, participant: ParticipantId, cause: call_engine::EndCause) {
        // Dropping it hangs up, on whoever is called in its place, too.
        self.referring.remove(&participant);
        self.end_of_leg(participant, cause);
    }

    fn end_of_leg(&mut self, participant: ParticipantId, cause: call_engine::EndCause) {
        self.legs.remove(&participant);
        self.pages.remove(participant);
        self.leg_event(participant, LegEvent::Ended(cause));
    }

    /// Lets somebody go who is handed over, unless that one is gone already.
    fn release(&mut self, participant: ParticipantId, by: CallId, to: ConferenceDoor) {
        if let Some((info, is_held)) = self.engine.person(participant) {
            let person = Person { participant, info: info.clone(), is_held };
            self.releasing = Some((person, Way::To(to)));
        }
        self.feed(ConferenceInput::Release { participant, by });
    }

    fn replace_media(&mut self, call: CallId, leg: media_plane::LegId) {
        let Some(side) = self.calls.get_mut(&call) else { return };
        side.leg = leg;
        let participant = side.participant;
        self.has_moved = true;
        self.feed(ConferenceInput::MediaReplaced { participant });
    }

    /// Lets applications that hear everybody apart know whose sound is whose.
    fn tell_sources(&mut self) {
        let has_any = self.calls.values().any(|side| side.sources.is_some());
        if !std::mem::take(&mut self.has_moved) || !has_any {
            return;
        }
        let people = self.legs.iter().map(|(id, leg)| (leg.media.leg(), *id));
        let calls = self.calls.values().map(|side| (side.leg, side.participant));
        let all: Arc<BTreeMap<_, _>> = Arc::new(people.chain(calls).collect());
        for sources in self.calls.values().filter_map(|side| side.sources.as_ref()) {
            sources.set(Arc::clone(&all));
        }
    }

    /// Asks how everybody's sound is.
    fn sounds(&self) -> Vec<AskedSound> {
        let legs = self.legs.iter().take(MAX_SOUNDS);
        let asked = legs.map(|(participant, leg)| AskedSound {
            participant: *participant,
            info: self.engine.person(*participant).map(|(info, _)| info.clone()).unwrap_or_default(),
            leg: leg.media.leg().as_u64(),
            sampled: leg.media.sample(),
        });
        asked.collect()
    }

    fn participant_of(&self, leg: media_plane::LegId) -> Option<ParticipantId> {
        let people = self.legs.iter().map(|(id, known)| (*id, known.media.leg()));
        let calls = self.calls.values().map(|side| (side.participant, side.leg));
        people.chain(calls).find(|(_, known)| *known == leg).map(|(id, _)| id)
    }

    /// The media leg of a participant, while it has one.
    fn leg_of(&self, participant: ParticipantId) -> Option<media_plane::LegId> {
        let person = self.legs.get(&participant).map(|leg| leg.media.leg());
        let mut calls = self.calls.values();
        person.or_else(|| calls.find(|side| side.participant == participant).map(|side| side.leg))
    }
}
