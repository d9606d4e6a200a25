use std::sync::Arc;

use model::{
    AudioRoutingGroup, Destination, Invitee, LegId, MediaPrompt, Notification, Operation, OperationId,
    ParticipantId, RecordParams, RedirectTarget, Tone,
};

use crate::conference::ConferenceRequest;
use crate::{CommandId, EndCause, Rejection};

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
    /// Let the caller hear that it rings.
    RingLeg {
        /// Which.
        leg: LegId,
    },
    /// Answer the caller, with the media that the call's record says. [`crate::LegEvent::Answered`] is expected once the caller
    /// acknowledges it, or [`crate::LegEvent::Ended`].
    AnswerLeg {
        /// Which.
        leg: LegId,
    },
    /// Refuse the caller. Nothing is expected of the leg any more.
    RejectLeg {
        /// Which.
        leg: LegId,
        /// What the caller is told.
        why: Refusal,
    },
    /// Call all of these at once for the caller, who goes on hearing it ring. Each reports [`crate::Input::Redirect`] with its
    /// place in the list.
    RedirectLeg {
        /// The caller's.
        leg: LegId,
        /// Who is called, in the order of the request.
        targets: Vec<RedirectTarget>,
    },
    /// Connect the caller with the one who answered first, and call the others no longer. The leg is not the call's any more:
    /// the two talk on when it is over.
    ConnectRedirected {
        /// The caller's.
        leg: LegId,
        /// The place in the list of those that were called.
        target: usize,
    },
    /// Call none of those any longer that the call was sent on to. Nothing more is expected of them.
    CancelRedirect {
        /// The caller's.
        leg: LegId,
    },
    /// Hand the other party over: call the target and connect the two, or have the party's own phone do so. Where the target
    /// names a call that it replaces, that is a call of the same application with the target, which has to be established;
    /// its leg is taken over, and it is told [`crate::Input::LegTaken`]. [`crate::Input::Transfer`] is expected until
    /// [`crate::TransferEvent::Done`], from when on the leg is not the call's, or [`crate::TransferEvent::Failed`]. A transferee
    /// leaves its conference by [`crate::ConferenceInput::Release`], which ends the call, too.
    Transfer {
        /// The other party's, or the call's place in a conference.
        leg: LegId,
        /// Names the transfer.
        command: CommandId,
        /// Who takes it.
        target: Box<Invitee>,
        /// Who is handed over out of a conference.
        transferee: Option<ParticipantId>,
    },
    /// Stop a transfer: whoever was called for it is called no longer, the other party stays. Nothing more is expected of it.
    CancelTransfer {
        /// Names the transfer.
        command: CommandId,
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

/// What a caller is told who is not answered, in the words of call control; the leg drivers translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Busy.
    Busy,
    /// The caller has as many calls as they may.
    CallerAtLimit,
    /// Declined.
    Declined,
    /// The caller may not call here.
    Forbidden,
    /// Nobody answered in time.
    NotAnswered,
    /// Whoever was called in the end does not exist.
    NotFound,
    /// Whoever was called has as many calls as may be, which passes.
    Occupied,
    /// Whoever was called in the end cannot be reached.
    Unavailable,
}

/// What a caller is told whom nobody took.
impl From<EndCause> for Refusal {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Busy | EndCause::PhoneNetwork(486 | 600) => Self::Busy,
            EndCause::Declined | EndCause::PhoneNetwork(603 | 607) => Self::Declined,
            EndCause::NoAnswer | EndCause::PhoneNetwork(408 | 480) => Self::NotAnswered,
            EndCause::NotFound | EndCause::PhoneNetwork(404 | 410 | 484 | 604) => Self::NotFound,
            EndCause::PhoneNetwork(403) => Self::Forbidden,
            EndCause::AnsweredElsewhere
            | EndCause::Cancelled
            | EndCause::HungUp
            | EndCause::Internal
            | EndCause::LocalHangUp
            | EndCause::MediaFailed
            | EndCause::MediaLost
            | EndCause::NoEndpoint
            | EndCause::NotAcknowledged
            | EndCause::PhoneNetwork(_)
            | EndCause::RefusedOffer
            | EndCause::Silent
            | EndCause::Unreachable
            | EndCause::Vanished => Self::Unavailable,
        }
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
