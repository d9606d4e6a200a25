use model::{
    Answer, MediaPrompt, OperationId, Outcome, Participant, Person, RecordCompletion, RecordParams, Redirect,
    RejectReason, Tone, Transfer,
};

use crate::EndCause;
use crate::conference::{ConferenceEvent, ConferenceRequest};

/// Something that happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The application asks for something; exactly one [`crate::Effect::Reply`] with this id follows.
    Command {
        /// Names the request in the reply.
        id: CommandId,
        /// What is asked.
        command: Command,
    },
    /// The conference that the call is in reports.
    Conference(ConferenceEvent),
    /// The application's own program, which hosts the media, is gone and has not come back in time.
    ApplicationMediaLost,
    /// The other party of a call between two has handed the conversation over: the leg leads to somebody else from here on.
    PartyReplaced {
        /// Who that is.
        person: Person,
        /// The same, as it is shown.
        info: Box<Participant>,
    },
    /// Another call has taken the place of this one.
    Replaced,
    /// The leg to the other party reports: to the callee, or to the caller of a call that came in.
    Leg(LegEvent),
    /// The leg has been taken over by another conversation, as a transfer to its other party replaces the call. It is over at
    /// once, and the leg is not its own any more.
    LegTaken,
    /// Someone reports whom the call was sent on to.
    Redirect {
        /// The place in the list of [`crate::Effect::RedirectLeg`].
        target: usize,
        /// What.
        event: RedirectEvent,
    },
    /// A job reports its end.
    JobEnded {
        /// The operation that the job belonged to.
        operation: OperationId,
        /// How it ended.
        result: JobResult,
    },
    /// A transfer reports.
    Transfer {
        /// Names the transfer, as [`crate::Effect::Transfer`] does.
        command: CommandId,
        /// What.
        event: TransferEvent,
    },
}

/// Names one request of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What an application asks of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Answer a call that came in.
    Answer(Box<Answer>),
    /// Cancel the media operations that run or wait.
    CancelMediaProcessing {
        /// Echoed.
        client_context: Option<String>,
    },
    /// Do something with the conference that the call is in. Inviting makes a conference of a call between two.
    Conference {
        /// What.
        request: ConferenceRequest,
        /// Echoed.
        client_context: Option<String>,
    },
    /// Hang up.
    HangUp,
    /// Stay alive.
    KeepAlive,
    /// Play prompts.
    PlayPrompt {
        /// In order.
        prompts: Vec<MediaPrompt>,
        /// Echoed.
        client_context: Option<String>,
    },
    /// Record what the far end says.
    RecordResponse {
        /// How.
        params: RecordParams,
        /// Echoed.
        client_context: Option<String>,
    },
    /// Send a call that came in on to others.
    Redirect(Redirect),
    /// Do not take a call that came in.
    Reject {
        /// Why.
        reason: RejectReason,
        /// Where the last notification goes; `None` leaves it where the first one went.
        callback_uri: Option<String>,
    },
    /// Send keys.
    SendDtmfTones {
        /// In order.
        tones: Vec<Tone>,
        /// The pause between two.
        delay_between_tones_ms: u32,
        /// Echoed.
        client_context: Option<String>,
    },
    /// Be told of keys.
    SubscribeToTone {
        /// Echoed.
        client_context: Option<String>,
    },
    /// Hand the other party over to someone else.
    Transfer(Box<Transfer>),
}

/// What the leg to the other party reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// It rings.
    Ringing,
    /// The callee answered, or the caller acknowledged the answer, and media is connected.
    Answered,
    /// The far end put the call on hold, or took it back.
    Held(bool),
    /// The far end pressed a key.
    Tone(Tone),
    /// The leg is over.
    Ended(EndCause),
}

/// What someone reports whom a call was sent on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectEvent {
    /// It answered.
    Answered,
    /// It cannot be called, or does not answer.
    Failed(EndCause),
}

/// What a transfer reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEvent {
    /// The target takes the other party, or the other party's phone calls the target by itself.
    Accepted,
    /// The two are connected.
    Done,
    /// They are not, and the other party is still the call's.
    Failed,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// What the conference was asked for is done.
    Done,
    /// All prompts were played to their end.
    Played,
    /// A recording is there.
    Recorded {
        /// Why it ended.
        completion: RecordCompletion,
        /// Where it is fetched; `None` where nothing was kept.
        location: Option<String>,
        /// What fetches it.
        access_token: Option<String>,
    },
    /// All keys were sent.
    TonesSent,
    /// It could not be done.
    Failed(Outcome),
}

/// Why a command is refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The call is over or ending (platform code 8522).
    #[error("the call has ended")]
    Ended,
    /// There is a routing group of that id already.
    #[error("there is an audio routing group of that id already")]
    GroupExists,
    /// The routing group does not have the sources and receivers that its mode asks for (platform code 8523).
    #[error("the audio routing group needs one source, and one receiver or, in a multicast, several")]
    GroupInvalid,
    /// There is no such routing group.
    #[error("there is no such audio routing group")]
    GroupNotFound,
    /// Someone else is on hold: one at a time.
    #[error("another participant is on hold; one can be at a time")]
    HoldBusy,
    /// The action belongs to media that the application hosts (platform code 8500).
    #[error("the action belongs to calls whose media the application hosts")]
    NeedsAppHostedMedia,
    /// The action belongs to media that the server plays and records (platform code 8500).
    #[error("the action belongs to calls whose media the service hosts")]
    NeedsServiceHostedMedia,
    /// Only a call of an application instance may lead to a phone number, and this one is none (platform code 7507).
    #[error("the call is not one of an application instance, which calls to phone numbers need")]
    NoInstance,
    /// The call is not established (platform code 8501).
    #[error("the call is not established")]
    NotEstablished,
    /// The call is between two (platform code 8548).
    #[error("the call is not a group call")]
    NotGroupCall,
    /// The call does not ring at the application, or does not any more (platform code 8585).
    #[error("the call is not incoming")]
    NotIncoming,
    /// The participant may not do that in this meeting.
    #[error("the participant's role in the meeting does not allow it")]
    NotPresenter,
    /// The participant is not on hold.
    #[error("the participant is not on hold")]
    NotOnHold,
    /// There is no such participant (platform code 8558).
    #[error("there is no such participant in the call")]
    ParticipantNotFound,
    /// Too many routing groups.
    #[error("there are as many audio routing groups as there may be")]
    TooManyGroups,
    /// Too many operations run and wait (platform code 8516).
    #[error("too many media operations are waiting")]
    TooManyOperations,
    /// The call has been sent on as often as it may be (platform code 8521).
    #[error("the call has been redirected as often as it may be")]
    TooManyRedirects,
    /// The conversation would have more participants than it may have (platform code 8523).
    #[error("the conversation has as many participants as it may have")]
    TooManyParticipants,
    /// A transfer out of a call of several does not say who is handed over (platform code 8523).
    #[error("a transfer out of a group call needs its transferee")]
    TransfereeMissing,
    /// A transfer is to replace the very call that it is asked of (platform code 8523).
    #[error("a call cannot be transferred to itself")]
    TransferToItself,
    /// The call is being transferred already (platform code 8607).
    #[error("the call is being transferred")]
    TransferUnderWay,
}
