use model::{MediaPrompt, OperationId, Outcome, RecordCompletion, RecordParams, Tone};

use crate::EndCause;

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
    /// The call is not established (platform code 8501).
    #[error("the call is not established")]
    NotEstablished,
    /// The call is over or ending (platform code 8522).
    #[error("the call has ended")]
    Ended,
    /// Too many operations run and wait (platform code 8516).
    #[error("too many media operations are waiting")]
    TooManyOperations,
}
