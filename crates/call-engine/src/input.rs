use model::{MediaPrompt, OperationId, Outcome, RecordCompletion, RecordParams, Tone};

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
    /// Another call has taken the place of this one.
    Replaced,
    /// The leg to the callee reports.
    Leg(LegEvent),
    /// A job reports its end.
    JobEnded {
        /// The operation that the job belonged to.
        operation: OperationId,
        /// How it ended.
        result: JobResult,
    },
}

/// Names one request of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What an application asks of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
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
}

/// What the leg to the callee reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// It rings.
    Ringing,
    /// The callee answered, and media is connected.
    Answered,
    /// The far end put the call on hold, or took it back.
    Held(bool),
    /// The far end pressed a key.
    Tone(Tone),
    /// The leg is over.
    Ended(EndCause),
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
    /// The call is not established (platform code 8501).
    #[error("the call is not established")]
    NotEstablished,
    /// The call is between two (platform code 8548).
    #[error("the call is not a group call")]
    NotGroupCall,
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
    /// The conversation would have more participants than it may have (platform code 8523).
    #[error("the conversation has as many participants as it may have")]
    TooManyParticipants,
}
