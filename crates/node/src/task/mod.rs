//! A call's task: it owns the call's engine, feeds it and performs its effects in order.

mod application;
mod incoming;
mod jobs;
mod link;
mod moving;
mod noting;
mod perform;
mod referral;

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::{Command, CommandId, ConferenceEvent, EndCause, Input, LegEvent, Reply};
use media_engine::PromptAudio;
use media_plane::MixerId;
use model::{
    AudioRoutingGroup, Call, CallId, Destination, Invitee, NewCall, Operation, OperationId, Outcome, Owner,
    ParticipantId, Person, RosterParticipant,
};
use store::{Recording, StoreError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use trace::Lane;
use trunk::NewTrunkCall;

use crate::application::{Absence, Whose};
use crate::calls::{CallsError, Registered, WhipAnswer};
use crate::conference::ConferenceTaskInput;
use crate::console::AskedSound;
use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndEvents, FarEndReport};
use crate::ids::RandomIds;
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::media::PortEvent;
use crate::phone_network::{Line, own_number};
use crate::ringing::{Party, RelayEvent};

use self::application::HostedMedia;
use self::jobs::Jobs;
use self::jobs::prefetch;
use self::link::Link;
use self::moving::{Moving, Place};

/// What a call's task is told.
#[derive(Debug)]
pub(crate) enum CallInput {
    /// The application's program is not there.
    ApplicationAbsent(Absence),
    /// Who is in the conference, for the application's own program.
    ApplicationRoster(Vec<RosterParticipant>),
    /// The media leg of the application's own program reports.
    ApplicationMedia(media_plane::LegId, PortEvent),
    /// The application asks for something.
    Command { command: Box<Command>, reply: oneshot::Sender<Result<Reply, CallsError>> },
    /// Show the call.
    Show(oneshot::Sender<Box<Call>>),
    /// Show the operations.
    Operations(oneshot::Sender<Vec<Operation>>),
    /// The conference that the call is in reports.
    Conference(ConferenceEvent),
    /// Show who speaks most.
    Dominant(oneshot::Sender<Option<(ParticipantId, u32)>>),
    /// End another call of the application, whose place was taken.
    EndReplaced(String),
    /// The application ends its session of WHIP.
    EndWhip { session: String, reply: oneshot::Sender<Result<(), CallsError>> },
    /// The one whom the other party's phone talked to on another leg; or there is none.
    Counterpart(Option<Box<Party>>),
    /// The far end reports.
    FarEnd(FarEndReport),
    /// Another call gives away its leg, or does not.
    LegHanded { command: CommandId, handed: Option<Box<Party>> },
    /// What another application does that the call was sent on to.
    Relayed { place: Place, event: RelayEvent },
    /// Another call of the application wants the leg, as its own other party takes this call's place.
    TakeLeg { party: Person, command: CommandId, mixer: MixerId, to: Inputs<CallInput> },
    /// Someone who is called for a redirect or a transfer reports.
    Target { place: Place, report: FarEndReport },
    /// Show the private routes of sound.
    Groups(oneshot::Sender<Vec<AudioRoutingGroup>>),
    /// The conference that was to be joined was over in that moment.
    JoinAgain,
    /// The media leg reports.
    Media(PortEvent),
    /// The application asks for fresh addresses.
    Invitation(oneshot::Sender<Result<String, CallsError>>),
    /// The application's media stack makes an offer.
    Offer { sdp: String, reply: oneshot::Sender<Result<String, CallsError>> },
    /// Show who is in it.
    Participants(oneshot::Sender<Vec<RosterParticipant>>),
    /// Another call takes the place of this one.
    Replaced,
    /// Show how everybody's sound is.
    Sounds(oneshot::Sender<Vec<AskedSound>>),
    /// The prompts of an operation are there.
    Prompts { operation: OperationId, prompts: Result<Vec<Arc<PromptAudio>>, Outcome> },
    /// The application has dialled in.
    Socket {
        format: app_media::Format,
        socket: Box<app_media::Socket>,
        reply: oneshot::Sender<Result<(), CallsError>>,
    },
    /// The same by WHIP.
    Whip { ticket: String, sdp: String, reply: oneshot::Sender<Result<WhipAnswer, CallsError>> },
}

/// What the registry of live calls keeps of a task.
pub(crate) struct Entry {
    pub(crate) id: CallId,
    pub(crate) owner: Owner,
    pub(crate) inputs: Inputs<CallInput>,
}

/// A call's task before and while it runs.
pub(crate) struct CallTask {
    engine: call_engine::Call,
    context: Context,
    inputs: InputQueue<CallInput>,
    /// For whoever reports to this call; they hold it only as long as the call lives.
    own: Inputs<CallInput>,
    ids: RandomIds,
    created: Option<oneshot::Sender<Result<Call, StoreError>>>,
    /// Whether it has been counted as created.
    is_counted: bool,
    link: Link,
    /// The application's own program, where it hosts the media.
    application: Option<HostedMedia>,
    /// The callee of a call between two, as participants are named.
    callee_participant: ParticipantId,
    jobs: Jobs,
    /// The way to the number that is called, before it is.
    line: Option<Line>,
    moving: Moving,
    replies: BTreeMap<CommandId, oneshot::Sender<Result<Reply, CallsError>>>,
    commands: u64,
    /// Whether it has been counted as established.
    was_established: bool,
    /// Rows that belong in the transaction of the operation that made them.
    recordings: Vec<Recording>,
    /// What happened, for people who look.
    trace: trace::Recording,
}

impl CallTask {
    /// Makes a call; nothing is kept or promised before [`CallTask::run`].
    ///
    /// # Errors
    ///
    /// Why the application's own media cannot be connected as it asks.
    pub(crate) fn create(
        mut new: NewCall,
        context: Context,
        created: oneshot::Sender<Result<Call, StoreError>>,
    ) -> Result<(Self, Entry), CallsError> {
        let (own, inputs) = inputs();
        let mut ids = RandomIds;
        let id = CallId::next(&mut ids);
        let owner = Whose { app: new.app.clone(), tenant: new.tenant.clone(), call: id };
        let place = (Some(&new.destination), &mut new.media_config);
        let application = HostedMedia::open(&context, owner, place, &own)?;
        // After everything that may fail: an application pays for calls, not for mistakes.
        let line = open_line(&context, &new)?;
        let prefetch = prefetch(&context, &new.app, &new.media_config);
        let config = context.config.call.clone();
        let (leg, now, recorder) = (context.next_leg(), context.clock.now(), context.recorder.clone());
        let engine = call_engine::Call::create((id, new), leg, config, now, &mut ids);
        let record = engine.record();
        let owner = Owner { app: record.app.clone(), tenant: record.tenant.clone() };
        let entry = Entry { id, owner, inputs: own.clone() };
        let task = Self {
            engine,
            context,
            inputs,
            own,
            ids,
            created: Some(created),
            is_counted: false,
            link: Link::default(),
            application,
            callee_participant: ParticipantId::next(&mut ids),
            jobs: Jobs::new(prefetch),
            line,
            moving: Moving::default(),
            replies: BTreeMap::new(),
            commands: 0,
            was_established: false,
            recordings: Vec::new(),
            trace: recorder.begin(id),
        };
        Ok((task, entry))
    }

    /// Lives the call to its end.
    pub(crate) async fn run(mut self, registered: Registered, draining: CancellationToken) {
        let mut is_draining = false;
        while self.perform(&registered).await {
            let deadline = self.engine.poll_timeout().unwrap_or_else(|| self.context.clock.now());
            tokio::select! {
                () = draining.cancelled(), if !is_draining => {
                    is_draining = true;
                    self.command(Command::HangUp, None);
                }
                Some(input) = self.inputs.next() => self.take(input, &registered).await,
                () = tokio::time::sleep_until(self.context.clock.instant_of(deadline)) => {
                    self.engine.handle_timeout(self.context.clock.now(), &mut self.ids);
                }
            }
        }
        self.leave();
        drop(registered);
    }

    async fn take(&mut self, input: CallInput, registered: &Registered) {
        match input {
            CallInput::ApplicationAbsent(absence) => self.application_absent(absence),
            CallInput::ApplicationMedia(leg, event) => self.application_media(leg, event),
            CallInput::ApplicationRoster(roster) => self.application_roster(&roster),
            CallInput::Command { command, reply } => self.command(*command, Some(reply)),
            CallInput::Show(reply) => {
                let _ = reply.send(Box::new(self.engine.record().clone()));
            }
            CallInput::Operations(reply) => {
                let _ = reply.send(self.engine.operations().cloned().collect());
            }
            CallInput::Conference(event) => self.conference(event),
            CallInput::Dominant(reply) => self.show_dominant(reply),
            CallInput::EndReplaced(call) => registered.end_replaced(&call),
            CallInput::EndWhip { session, reply } => drop(reply.send(self.end_whip(&session))),
            CallInput::Counterpart(party) => self.counterpart(party),
            CallInput::FarEnd(report) => self.far_end(report).await,
            CallInput::Groups(reply) => self.show_groups(reply),
            CallInput::JoinAgain => self.join_again(),
            CallInput::LegHanded { command, handed } => self.leg_handed(command, handed),
            CallInput::Relayed { place, event } => self.relayed(place, event),
            CallInput::TakeLeg { party, command, mixer, to } => {
                self.give_leg(&party, mixer, (command, &to));
            }
            CallInput::Target { place, report } => self.target(place, report.event),
            CallInput::Invitation(reply) => drop(reply.send(self.invitation())),
            CallInput::Offer { sdp, reply } => drop(reply.send(self.offered(&sdp).await)),
            CallInput::Participants(reply) => self.show_participants(reply),
            CallInput::Replaced => self.feed(Input::Replaced),
            CallInput::Sounds(reply) => self.show_sounds(reply),
            CallInput::Media(event) => self.media(event),
            CallInput::Prompts { operation, prompts } => self.prompts_ready(operation, prompts),
            CallInput::Socket { format, socket, reply } => drop(reply.send(self.attach(format, *socket))),
            CallInput::Whip { ticket, sdp, reply } => drop(reply.send(self.whip(&ticket, &sdp).await)),
        }
    }

    fn command(&mut self, mut command: Command, reply: Option<oneshot::Sender<Result<Reply, CallsError>>>) {
        if let Command::Answer(answer) = &mut command
            && let Err(error) = self.prepare_answer(answer)
        {
            // Whoever asked may have gone away.
            drop(reply.map(|reply| reply.send(Err(error))));
            return;
        }
        self.commands += 1;
        let id = CommandId(self.commands);
        reply.map(|reply| self.replies.insert(id, reply));
        self.feed(Input::Command { id, command });
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle(input, self.context.clock.now(), &mut self.ids);
    }

    async fn far_end(&mut self, report: FarEndReport) {
        let FarEndReport { line, event } = report;
        let leg = match &mut self.link {
            Link::Leg(leg) if leg.events.line() == line => leg,
            Link::Member(member) => {
                return member.pass_on(|participant| {
                    let report = FarEndReport { line, event };
                    ConferenceTaskInput::FarEnd { participant, report }
                });
            }
            Link::Calling(phone) if phone.events.line() == line => {
                noting::note_far_end(&self.trace, self.context.clock.now(), &event);
                if let FarEndEvent::Ended(cause) = event {
                    self.feed(Input::Leg(LegEvent::Ended(cause)));
                }
                return;
            }
            // Of a far end in whose place there is another one.
            Link::Calling(_) | Link::Leg(_) | Link::None => return,
        };
        noting::note_far_end(&self.trace, self.context.clock.now(), &event);
        match event {
            FarEndEvent::Ringing => self.feed(Input::Leg(LegEvent::Ringing)),
            FarEndEvent::Answered { sdp, source } => match leg.answered(&sdp, source) {
                Ok(is_held) => {
                    self.feed(Input::Leg(LegEvent::Answered));
                    self.show_both();
                    if is_held {
                        self.feed(Input::Leg(LegEvent::Held(true)));
                    }
                }
                Err(cause) => self.lose_leg(cause),
            },
            FarEndEvent::Completed { sdp } => match leg.completed(&sdp) {
                Ok(is_held) => self.feed(Input::Leg(LegEvent::Held(is_held))),
                Err(cause) => self.lose_leg(cause),
            },
            FarEndEvent::Confirmed { sdp } => match leg.confirmed(sdp.as_deref()) {
                Ok(is_held) => {
                    self.feed(Input::Leg(LegEvent::Answered));
                    self.show_both();
                    if is_held {
                        self.feed(Input::Leg(LegEvent::Held(true)));
                    }
                }
                Err(cause) => self.lose_leg(cause),
            },
            FarEndEvent::Offered { sdp } => {
                if let Some(is_held) = leg.offered(sdp.as_deref()) {
                    self.feed(Input::Leg(LegEvent::Held(is_held)));
                }
            }
            FarEndEvent::Pulled(phone) => self.pulled(*phone),
            FarEndEvent::ReferProgress(progress) => self.refer_progress(progress).await,
            FarEndEvent::Referred(referral) => self.referred(referral).await,
            // The application is nobody's to give away.
            FarEndEvent::GiveOther(_) => {}
            FarEndEvent::Ended(cause) => self.party_left(cause),
        }
    }

    /// Ends a leg from this side for a reason of its own, not the application's.
    fn lose_leg(&mut self, cause: EndCause) {
        self.note(Lane::Leg, "lost", Some(&format!("{cause:?}")));
        self.link.hang_up();
        self.feed(Input::Leg(LegEvent::Ended(cause)));
    }

    fn media(&mut self, event: PortEvent) {
        match event {
            PortEvent::JobDone { job, outcome } => self.job_done(job, outcome),
            event @ (PortEvent::Lost | PortEvent::Tone(_)) => match (&self.link, event) {
                (Link::Member(member), event) => {
                    member.pass_on(|participant| ConferenceTaskInput::Media { participant, event });
                }
                (_, PortEvent::Tone(tone)) => {
                    self.note_key(tone);
                    self.key_of_callee(tone);
                }
                // Whoever is called in the place of a phone that has left is not heard yet.
                (_, PortEvent::Lost) if self.has_party_left() => {}
                (_, PortEvent::Lost | PortEvent::JobDone { .. }) => self.lose_leg(EndCause::MediaLost),
            },
        }
    }

    fn events(&self) -> FarEndEvents {
        FarEndEvents::to_call(self.own.clone()).traced(&self.trace)
    }
}

/// Opens the way to the number that a new call leads to. Where no way is up, the call is made, and its end says so.
///
/// # Errors
///
/// [`CallsError::Denied`] where the application names no instance of its own to call numbers, alone or among others, or may
/// not call the one.
fn open_line(context: &Context, new: &NewCall) -> Result<Option<Line>, CallsError> {
    let number = |invitee: &Invitee| match invitee.callee {
        Person::Phone(number) => Some(number),
        Person::User(_) | Person::Withheld => None,
    };
    let source = new.source.as_ref().map(|source| &source.identity);
    let instance = source.and_then(|source| source.application_instance.as_ref()?.id.as_deref());
    let caller = source.and_then(own_number);
    let asked = |number| NewTrunkCall { app: &new.app, tenant: &new.tenant, instance, caller, number };
    match &new.destination {
        Destination::Group(invitees) => match invitees.iter().find_map(number) {
            Some(number) => Line::permit(context, &asked(number)).map(|()| None),
            None => Ok(None),
        },
        Destination::Meeting(_) => Ok(None),
        Destination::Person(invitee) => match number(invitee) {
            Some(number) => match Line::open(context, asked(number)) {
                Err(trunk::Denied::AllDown) => Ok(Some(Line::Down)),
                line => line.map(Some),
            },
            None => Ok(None),
        },
    }
    .map_err(CallsError::Denied)
}
