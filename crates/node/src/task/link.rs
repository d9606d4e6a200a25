//! What connects a call with others: a leg of its own, or its place in a conference.

use std::sync::Arc;

use call_engine::{
    CommandId, ConferenceAnswer, ConferenceEvent, ConferenceRequest, Input, Joining, Refusal, Rejection,
};
use media_plane::PlaneError;
use model::{
    AudioRoutingGroup, CallDirection, CallId, CallState, Destination, IdentitySet, MediaDirection,
    MediaState, MediaStream, Modality, OperationId, Outcome, Participant, ParticipantId, RosterParticipant,
};
use tokio::sync::oneshot;

use super::CallTask;
use super::application::HostedMedia;
use super::perform::payer_of;
use crate::conference::{CallSide, ConferenceDoor, ConferenceTaskInput, Person};
use crate::console::AskedSound;
use crate::context::Context;
use crate::leg::Leg;
use crate::media::MediaPort;
use crate::sip::CallingPhone;

/// What connects a call with others.
#[derive(Default)]
pub(super) enum Link {
    /// Nothing yet, or nothing any more.
    #[default]
    None,
    /// A phone that calls, and has not been answered.
    Calling(Box<CallingPhone>),
    /// A leg to one person.
    Leg(Box<Leg>),
    /// A place in a conference.
    Member(Membership),
}

/// A call's place in a conference. Dropping it leaves.
pub(super) struct Membership {
    call: CallId,
    door: ConferenceDoor,
    /// What it plays and records by; none where the application's own program hears and speaks.
    media: Option<Arc<MediaPort>>,
    /// Where it leads, in case it has to join again.
    destination: Option<Box<Destination>>,
    /// The person whose leg was this call's before: what it reported last may still be on its way here.
    adopted: Option<ParticipantId>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        // A conference that is over has been left.
        let _ = self.door.inputs.end(ConferenceTaskInput::Leave { call: self.call });
    }
}

impl Link {
    /// Cancels or hangs up a leg, or leaves a conference; `false` where there is neither.
    pub(super) fn hang_up(&self) -> bool {
        match self {
            Self::Calling(phone) => phone.far_end.reject(Refusal::Unavailable),
            Self::Leg(leg) => leg.hang_up(),
            Self::Member(member) => {
                // A conference that is over has told the call its end.
                let _ = member.door.inputs.end(ConferenceTaskInput::Leave { call: member.call });
            }
            Self::None => return false,
        }
        true
    }
}

impl Membership {
    /// The call's own media leg in the conference, where it has one.
    pub(super) fn leg(&self) -> Option<media_plane::LegId> {
        self.media.as_ref().map(|media| media.leg())
    }

    /// Asks how everybody's sound is.
    pub(super) fn ask_sounds(&self, reply: oneshot::Sender<Vec<AskedSound>>) {
        let _ = self.door.inputs.end(ConferenceTaskInput::Sounds(reply));
    }

    /// Lets somebody go to another conversation, and the call after it.
    pub(super) fn release(&self, participant: ParticipantId, to: ConferenceDoor) {
        // A conference that is over has told the call its end.
        let _ = self.door.inputs.end(ConferenceTaskInput::Release { participant, by: self.call, to });
    }

    /// Passes on what the leg that was this call's before reported to it.
    pub(super) fn pass_on(&self, make: impl FnOnce(ParticipantId) -> ConferenceTaskInput) {
        if let Some(participant) = self.adopted {
            // A conference that is over has ended its legs.
            let _ = self.door.inputs.end(make(participant));
        }
    }
}

/// Tries to join a meeting whose conference ends in that moment, before giving up.
const JOIN_TRIES: usize = 4;

impl CallTask {
    /// The media that the call plays to and records from.
    pub(super) fn media_port(&self) -> Option<&Arc<MediaPort>> {
        match &self.link {
            Link::Leg(leg) => Some(&leg.media),
            Link::Member(member) => member.media.as_ref(),
            Link::Calling(_) | Link::None => None,
        }
    }

    /// The application's own leg in a conference.
    pub(super) fn own_leg(&self) -> Option<media_plane::LegId> {
        let member = match &self.link {
            Link::Member(member) => member.leg(),
            Link::Calling(_) | Link::Leg(_) | Link::None => None,
        };
        member.or_else(|| self.application.as_ref().map(HostedMedia::leg))
    }

    pub(super) fn conference(&mut self, event: ConferenceEvent) {
        if event == ConferenceEvent::Ended(Outcome::Transferred) {
            self.transferee_met();
        }
        if matches!(event, ConferenceEvent::Joined)
            && let Link::Member(member) = &mut self.link
        {
            member.destination = None;
        }
        self.note_conference(&event);
        self.show_application(&event);
        self.feed(Input::Conference(event));
    }

    /// Joins the conference that the call leads into.
    pub(super) fn join(&mut self, destination: Box<Destination>) {
        let joining = Box::new(self.joining(&destination));
        for _ in 0..JOIN_TRIES {
            match self.try_join(&joining, &destination) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(call.id = %joining.call, %error, "failed to join a conference");
                    break;
                }
            }
        }
        self.feed(Input::Conference(ConferenceEvent::Ended(Outcome::InternalError)));
    }

    /// The same once more, as the conference was over before it heard of this call.
    pub(super) fn join_again(&mut self) {
        let Link::Member(member) = &mut self.link else { return };
        let Some(destination) = member.destination.take() else { return };
        self.link = Link::None;
        if self.engine.record().state == CallState::Establishing {
            self.join(destination);
        } else {
            self.feed(Input::Conference(ConferenceEvent::Ended(Outcome::EndedByBot)));
        }
    }

    /// Joins; `false` where the conference ended in that moment.
    fn try_join(&mut self, joining: &Joining, destination: &Destination) -> Result<bool, PlaneError> {
        let context = &self.context;
        let door = match self.application.as_mut().and_then(HostedMedia::take_door) {
            Some(door) => door,
            None => open_door(context, destination, self.application.as_ref().map(HostedMedia::leg))?,
        };
        let (leg, media) = self.open_for_member(&door)?;
        let side = Box::new(self.side(leg, &door));
        let input = ConferenceTaskInput::Join { joining: Box::new(joining.clone()), side };
        if door.inputs.end(input).is_err() {
            return Ok(false);
        }
        self.link = Link::Member(Membership {
            call: joining.call,
            door,
            media,
            destination: Some(Box::new(destination.clone())),
            adopted: None,
        });
        Ok(true)
    }

    /// Media for a place in a conference, unless the application brings its own. Without it nobody comes: a conference that
    /// was opened for this call is over.
    fn open_for_member(
        &self,
        door: &ConferenceDoor,
    ) -> Result<(media_plane::LegId, Option<Arc<MediaPort>>), PlaneError> {
        let media = &self.context.media;
        let opened = match &self.application {
            // The meeting may have begun on another media thread meanwhile.
            Some(hosted) => {
                let own = &hosted.application.media;
                own.bring_to(door.mixer).map(|()| (own.leg(), None))
            }
            None => {
                let opened = media.open_for_member(door.mixer, self.own.clone());
                opened.map(|media| (media.leg(), Some(Arc::new(media))))
            }
        };
        opened.inspect_err(|_error| {
            // One that is over needs no telling.
            let _ = door.inputs.end(ConferenceTaskInput::Leave { call: self.engine.record().id });
        })
    }

    /// How a conference reaches this call.
    fn side(&mut self, leg: media_plane::LegId, door: &ConferenceDoor) -> CallSide {
        let sources = self.application.as_mut().map(|hosted| hosted.joining(door.mixer));
        let record = self.engine.record();
        CallSide {
            inputs: self.own.clone(),
            app: record.app.clone(),
            payer: payer_of(record),
            tenant: record.tenant.clone(),
            subject: record.subject.clone(),
            participant: record.my_participant,
            leg,
            sources,
            trace: self.trace.clone(),
        }
    }

    fn joining(&self, destination: &Destination) -> Joining {
        let record = self.engine.record();
        let (guest, invitees) = match destination {
            Destination::Group(invitees) => (None, invitees.clone()),
            Destination::Meeting(join) => (join.guest.clone(), Vec::new()),
            Destination::Person(_) => (None, Vec::new()),
        };
        let options = record.call_options.clone().unwrap_or_default();
        let is_guest = guest.is_some();
        let identity = match guest {
            Some(guest) => IdentitySet { guest: Some(guest), ..IdentitySet::default() },
            None => self.application_info().identity,
        };
        Joining {
            call: record.id,
            participant: record.my_participant,
            info: Participant { identity, ..self.application_info() },
            is_guest,
            is_in_default_group: !record.media_config.is_outside_default_audio_group(),
            is_told_of_speakers: record.media_config.is_app_hosted(),
            is_delta_roster: options.is_delta_roster_enabled.unwrap_or(false),
            is_hidden: false,
            invitees,
        }
    }

    /// Asks the conference; makes one of a call between two first.
    pub(super) fn ask_conference(
        &mut self,
        command: CommandId,
        operation: OperationId,
        request: ConferenceRequest,
    ) {
        if matches!(self.link, Link::Leg(_)) {
            // Whoever is called in the other party's place would come where that one is not any more.
            if self.moving.under_way.is_some() {
                let answer = Err(Rejection::TransferUnderWay);
                return self.feed(Input::Conference(ConferenceEvent::Answered { command, answer }));
            }
            self.escalate();
        }
        let call = self.engine.record().id;
        let is_asked = match &self.link {
            Link::Member(member) => {
                let request = Box::new(request);
                let ask = ConferenceTaskInput::Ask { call, command, operation, request };
                member.door.inputs.end(ask).is_ok()
            }
            Link::Calling(_) | Link::Leg(_) | Link::None => false,
        };
        if !is_asked {
            let answer: Result<ConferenceAnswer, Rejection> = Err(Rejection::NotEstablished);
            self.feed(Input::Conference(ConferenceEvent::Answered { command, answer }));
        }
    }

    /// Makes a conference of a call between two: its person goes there as it is, its application joins. What plays or
    /// records goes on where it began.
    fn escalate(&mut self) {
        let Link::Leg(leg) = std::mem::take(&mut self.link) else { return };
        let context = &self.context;
        let opened = context.conferences.group(context, Some(leg.media.leg())).and_then(|door| {
            let (leg, media) = self.open_for_member(&door)?;
            Ok((door, leg, media))
        });
        let (door, member, media) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, "failed to make a conference of a call");
                self.link = Link::Leg(leg);
                return;
            }
        };
        let side = Box::new(self.side(member, &door));
        let record = self.engine.record();
        let options = record.call_options.clone().unwrap_or_default();
        let joining = Joining {
            is_hidden: options.hide_bot_after_escalation.unwrap_or(false),
            ..self.joining(&Destination::Group(Vec::new()))
        };
        let participant = self.callee_participant;
        let person = Person {
            participant,
            info: self.callee_info(),
            is_held: record.media_state == Some(MediaState::Inactive),
        };
        let (events, leg_media) = (leg.events.clone(), Arc::clone(&leg.media));
        let adopt =
            ConferenceTaskInput::Adopt { joining: Box::new(joining), side, leg, person: Box::new(person) };
        // It has just begun, and ends only when its members leave. It knows the leg before that reports to it.
        let _ = door.inputs.end(adopt);
        leg_media.move_to(door.inputs.clone(), participant, Some(self.own.clone()));
        events.move_to_conference(door.inputs.clone(), participant);
        let call = record.id;
        self.link =
            Link::Member(Membership { call, door, media, destination: None, adopted: Some(participant) });
    }

    pub(super) fn callee_info(&self) -> Participant {
        let record = self.engine.record();
        if record.direction == CallDirection::Incoming {
            return record.source.clone();
        }
        self.target_info()
    }

    /// The application, as rosters show it.
    fn application_info(&self) -> Participant {
        let record = self.engine.record();
        match record.direction {
            CallDirection::Incoming => self.target_info(),
            CallDirection::Outgoing => record.source.clone(),
        }
    }

    /// The first who is called: the callee, or the application itself.
    fn target_info(&self) -> Participant {
        let target = self.engine.record().targets.first();
        let identity = target.map(|target| target.identity.clone()).unwrap_or_default();
        Participant { identity, ..Participant::default() }
    }

    pub(super) fn show_participants(&self, reply: oneshot::Sender<Vec<RosterParticipant>>) {
        let Link::Member(member) = &self.link else {
            // Whoever asked may have gone away.
            drop(reply.send(self.both()));
            return;
        };
        let call = member.call;
        // A conference that is over answers nothing, as the call is over too.
        let _ = member.door.inputs.end(ConferenceTaskInput::Participants { call, reply });
    }

    pub(super) fn show_groups(&self, reply: oneshot::Sender<Vec<AudioRoutingGroup>>) {
        match &self.link {
            Link::Member(member) => {
                let call = member.call;
                drop(member.door.inputs.end(ConferenceTaskInput::Groups { call, reply }));
            }
            Link::Calling(_) | Link::Leg(_) | Link::None => drop(reply.send(Vec::new())),
        }
    }

    pub(super) fn show_dominant(&self, reply: oneshot::Sender<Option<(ParticipantId, u32)>>) {
        match &self.link {
            Link::Member(member) => {
                let call = member.call;
                drop(member.door.inputs.end(ConferenceTaskInput::ShowDominant { call, reply }));
            }
            Link::Calling(_) | Link::Leg(_) | Link::None => drop(reply.send(None)),
        }
    }

    /// Asks the conference who is there, for the application's own program.
    pub(super) fn ask_roster(&self) -> Option<oneshot::Receiver<Vec<RosterParticipant>>> {
        let Link::Member(member) = &self.link else { return None };
        let (reply, asked) = oneshot::channel();
        let call = member.call;
        // A conference that is over answers nothing.
        let _ = member.door.inputs.end(ConferenceTaskInput::Participants { call, reply });
        Some(asked)
    }

    /// Lets the conference know of the leg that took the place of the application's former one.
    pub(super) fn replace_media(&self, leg: media_plane::LegId) {
        if let Link::Member(member) = &self.link {
            // A conference that is over hears nothing of anybody.
            let _ = member.door.inputs.end(ConferenceTaskInput::ReplaceMedia { call: member.call, leg });
        }
    }

    /// The two of a call between two: the application, and the callee once it has answered.
    pub(super) fn both(&self) -> Vec<RosterParticipant> {
        let record = self.engine.record();
        if record.state != CallState::Established {
            return Vec::new();
        }
        let is_held = record.media_state == Some(MediaState::Inactive);
        let shown = |(id, info), number: u32| RosterParticipant {
            id,
            info,
            is_muted: false,
            is_in_lobby: false,
            role: None,
            media_streams: vec![MediaStream {
                media_type: Modality::Audio,
                source_id: number,
                direction: if is_held { MediaDirection::Inactive } else { MediaDirection::SendReceive },
                is_server_muted: false,
                label: Some("main-audio".to_owned()),
            }],
            recording: None,
            metadata: None,
            sequence: u64::from(number),
            removed: None,
        };
        let application = (record.my_participant, self.application_info());
        let callee = (self.callee_participant, self.callee_info());
        vec![shown(application, 1), shown(callee, 2)]
    }
}

/// The conference that a call leads into, on the thread of the application's own leg where it has one.
pub(super) fn open_door(
    context: &Context,
    destination: &Destination,
    near: Option<media_plane::LegId>,
) -> Result<ConferenceDoor, PlaneError> {
    match destination {
        Destination::Meeting(join) => context.conferences.meeting(context, &join.meeting, near),
        Destination::Group(_) | Destination::Person(_) => context.conferences.group(context, near),
    }
}
