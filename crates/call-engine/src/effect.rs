use std::sync::Arc;

use model::{
    AudioRoutingGroup, Destination, Invitee, LegId, MediaPrompt, Notification, Operation, OperationId,
    RecordParams, Tone,
};

use crate::conference::ConferenceRequest;
use crate::{CommandId, Rejection};

/// What the owner of a call must do, in order.
///
/// `Persist`, `PersistOperation` and `Notify` come first and belong in one transaction, committed before the
/// next other effect is performed: nothing is promised that could be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep this state of the call.
    Persist(Arc<model::Call>),
    /// Keep this state of an operation.
    PersistOperation(Box<Operation>),
    /// Tell the application.
    Notify(Box<Notification>),
    /// Answer a request.
    Reply {
        /// Which.
        command: CommandId,
        /// With what.
        reply: Result<Reply, Rejection>,
    },
    /// Ask the conference; exactly one [`crate::ConferenceEvent::Answered`] with this command is expected. A call between
    /// two that invites is made one first, its leg and the application being the first members.
    AskConference {
        /// Names the question in the answer.
        command: CommandId,
        /// The operation that its end is to be reported for, where it takes time.
        operation: OperationId,
        /// What is asked.
        request: ConferenceRequest,
    },
    /// Join a conference: a new one with the people called, or that of a meeting.
    JoinConference {
        /// The leg's name from here on.
        leg: LegId,
        /// With whom or where; never one person.
        destination: Box<Destination>,
    },
    /// Call the callee.
    StartLeg {
        /// The leg's name from here on.
        leg: LegId,
        /// Whom.
        invitee: Box<Invitee>,
    },
    /// End the leg: cancel it if nobody answered yet, hang up otherwise; or leave the conference.
    EndLeg {
        /// Which.
        leg: LegId,
    },
    /// Start a job on the leg's media; exactly one [`crate::Input::JobEnded`] is expected unless it is cancelled.
    StartJob {
        /// The leg.
        leg: LegId,
        /// The operation it belongs to.
        operation: OperationId,
        /// What to do.
        job: Job,
    },
    /// Stop a job; its end is of no interest any more.
    CancelJob {
        /// The operation it belongs to.
        operation: OperationId,
    },
    /// The call is over. Nothing follows.
    Ended,
}

impl Effect {
    /// Whether this is part of a transaction rather than an act.
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Persist(_) | Self::PersistOperation(_) | Self::Notify(_))
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done; there is nothing to show.
    Done,
    /// A routing group as it is kept.
    Group(Box<AudioRoutingGroup>),
    /// The operation that it started.
    Operation(Box<Operation>),
}

/// Work on a leg's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Play prompts one after the other.
    Play {
        /// In order.
        prompts: Vec<MediaPrompt>,
    },
    /// Play a prompt if there is one, beep if asked, record.
    Record {
        /// How.
        params: RecordParams,
    },
    /// Send keys.
    SendTones {
        /// In order.
        tones: Vec<Tone>,
        /// The pause between two.
        delay_ms: u32,
    },
}
