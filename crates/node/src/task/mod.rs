//! A call's task: it owns the call's engine, feeds it and performs its effects in order.

mod jobs;
mod link;
mod perform;

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::{Command, CommandId, ConferenceEvent, EndCause, Input, LegEvent, Reply};
use media_engine::PromptAudio;
use model::{
    AudioRoutingGroup, Call, CallId, NewCall, Operation, OperationId, Outcome, Owner, ParticipantId,
    RosterParticipant,
};
use store::{Recording, StoreError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::calls::{CallsError, Registered};
use crate::conference::ConferenceTaskInput;
use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndEvents};
use crate::ids::RandomIds;
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::media::PortEvent;

use self::jobs::Jobs;
use self::link::Link;

/// What a call's task is told.
#[derive(Debug)]
pub(crate) enum CallInput {
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
    /// The far end reports.
    FarEnd(FarEndEvent),
    /// Show the private routes of sound.
    Groups(oneshot::Sender<Vec<AudioRoutingGroup>>),
    /// The conference that was to be joined was over in that moment.
    JoinAgain,
    /// The media leg reports.
    Media(PortEvent),
    /// Show who is in it.
    Participants(oneshot::Sender<Vec<RosterParticipant>>),
    /// Another call takes the place of this one.
    Replaced,
    /// The prompts of an operation are there.
    Prompts { operation: OperationId, prompts: Result<Vec<Arc<PromptAudio>>, Outcome> },
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
    link: Link,
    /// The callee of a call between two, as participants are named.
    callee_participant: ParticipantId,
    jobs: Jobs,
    replies: BTreeMap<CommandId, oneshot::Sender<Result<Reply, CallsError>>>,
    commands: u64,
    /// Whether it has been counted as established.
    was_established: bool,
    /// Rows that belong in the transaction of the operation that made them.
    recordings: Vec<Recording>,
}

impl CallTask {
    /// Makes a call; nothing is kept or promised before [`CallTask::run`].
    pub(crate) fn create(
        new: NewCall,
        context: Context,
        created: oneshot::Sender<Result<Call, StoreError>>,
    ) -> (Self, Entry) {
        let (own, inputs) = inputs();
        let mut ids = RandomIds;
        let model::MediaConfig::ServiceHosted { pre_fetch_media, .. } = &new.media_config;
        let prefetch = (!pre_fetch_media.is_empty())
            .then(|| context.prompts.prefetch(&new.app, pre_fetch_media.clone()));
        let config = context.config.call.clone();
        let engine =
            call_engine::Call::create(new, context.next_leg(), config, context.clock.now(), &mut ids);
        let record = engine.record();
        let owner = Owner { app: record.app.clone(), tenant: record.tenant.clone() };
        let entry = Entry { id: record.id, owner, inputs: own.clone() };
        let task = Self {
            engine,
            context,
            inputs,
            own,
            ids,
            created: Some(created),
            link: Link::default(),
            callee_participant: ParticipantId::next(&mut ids),
            jobs: Jobs::new(prefetch),
            replies: BTreeMap::new(),
            commands: 0,
            was_established: false,
            recordings: Vec::new(),
        };
        (task, entry)
    }

    /// Lives the call to its end.
    pub(crate) async fn run(mut self, registered: Registered, draining: CancellationToken) {
        let mut is_draining = false;
        while self.perform().await {
            let deadline = self.engine.poll_timeout().unwrap_or_else(|| self.context.clock.now());
            tokio::select! {
                () = draining.cancelled(), if !is_draining => {
                    is_draining = true;
                    self.command(Command::HangUp, None);
                }
                Some(input) = self.inputs.next() => self.take(input, &registered),
                () = tokio::time::sleep_until(self.context.clock.instant_of(deadline)) => {
                    self.engine.handle_timeout(self.context.clock.now(), &mut self.ids);
                }
            }
        }
        drop(registered);
    }

    fn take(&mut self, input: CallInput, registered: &Registered) {
        match input {
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
            CallInput::FarEnd(event) => self.far_end(event),
            CallInput::Groups(reply) => self.show_groups(reply),
            CallInput::JoinAgain => self.join_again(),
            CallInput::Participants(reply) => self.show_participants(reply),
            CallInput::Replaced => self.feed(Input::Replaced),
            CallInput::Media(event) => self.media(event),
            CallInput::Prompts { operation, prompts } => self.prompts_ready(operation, prompts),
        }
    }

    fn command(&mut self, command: Command, reply: Option<oneshot::Sender<Result<Reply, CallsError>>>) {
        self.commands += 1;
        let id = CommandId(self.commands);
        reply.map(|reply| self.replies.insert(id, reply));
        self.feed(Input::Command { id, command });
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle(input, self.context.clock.now(), &mut self.ids);
    }

    fn far_end(&mut self, event: FarEndEvent) {
        let leg = match &mut self.link {
            Link::Leg(leg) => leg,
            Link::Member(member) => {
                return member.pass_on(|participant| ConferenceTaskInput::FarEnd { participant, event });
            }
            Link::None => return,
        };
        match event {
            FarEndEvent::Ringing => self.feed(Input::Leg(LegEvent::Ringing)),
            FarEndEvent::Answered { sdp, source } => match leg.answered(&sdp, source) {
                Ok(is_held) => {
                    self.feed(Input::Leg(LegEvent::Answered));
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
            FarEndEvent::Offered { sdp } => {
                if let Some(is_held) = leg.offered(sdp.as_deref()) {
                    self.feed(Input::Leg(LegEvent::Held(is_held)));
                }
            }
            FarEndEvent::Ended(cause) => self.feed(Input::Leg(LegEvent::Ended(cause))),
        }
    }

    /// Ends a leg from this side for a reason of its own, not the application's.
    fn lose_leg(&mut self, cause: EndCause) {
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
                (_, PortEvent::Tone(tone)) => self.feed(Input::Leg(LegEvent::Tone(tone))),
                (_, PortEvent::Lost | PortEvent::JobDone { .. }) => self.lose_leg(EndCause::MediaLost),
            },
        }
    }

    fn events(&self) -> FarEndEvents {
        FarEndEvents::to_call(self.own.clone())
    }
}
