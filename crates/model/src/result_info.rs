use serde::{Deserialize, Serialize};

/// Why a call or an operation ended (`resultInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultInfo {
    /// A class in the manner of HTTP and SIP: 2xx success, 4xx the caller's, 5xx ours.
    pub code: i32,
    /// The exact reason within the class.
    pub subcode: i32,
    /// The reason in words.
    pub message: String,
}

/// Every ending that this server gives, by name. [`Outcome::result_info`] is the one table of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// A media operation did what it should.
    ActionCompleted,
    /// The bot was not there to go on: the server restarted.
    ServerRestarted,
    /// The callee is busy.
    CalleeBusy,
    /// The callee declined.
    CalleeDeclined,
    /// The callee's endpoints did not react at all.
    CalleeSilent,
    /// No endpoint of the callee is registered.
    CalleeHasNoEndpoint,
    /// The callee is unreachable for another reason.
    CalleeUnreachable,
    /// The callee does not exist.
    CalleeNotFound,
    /// The callee's endpoint refused what it was offered.
    CalleeRefusedOffer,
    /// The bot hung up.
    EndedByBot,
    /// The bot hung up before anyone answered.
    CancelledByBot,
    /// The other party of a two-party call hung up.
    EndedByPeer,
    /// A participant removed this one.
    RemovedByParticipant,
    /// Everyone else left.
    EveryoneElseLeft,
    /// Who had started the group call left.
    InitiatorLeft,
    /// Nobody else came back to the meeting.
    LeftAlone,
    /// Nobody joined.
    NobodyJoined,
    /// Only hidden participants are left.
    OnlyHiddenLeft,
    /// Nobody let it in from the lobby in time.
    LobbyTimedOut,
    /// Nobody may join the meeting any more.
    MeetingLocked,
    /// The conversation has as many participants as it may have.
    TooManyParticipants,
    /// The call took the place of another one.
    Replaced,
    /// An operation was cancelled.
    OperationCancelled,
    /// The call ended while an operation was under way.
    CallEndedDuringOperation,
    /// No keepAlive came in time.
    KeepAliveMissing,
    /// Media stopped flowing.
    MediaLost,
    /// Media could not be set up.
    MediaFailed,
    /// Nobody answered in time.
    NotAnswered,
    /// A prompt could not be fetched.
    PromptDownloadFailed,
    /// A prompt is not a sound file that can be played.
    PromptInvalid,
    /// Too many operations wait.
    TooManyOperations,
    /// A recording reached its longest duration.
    RecordedMaxDuration,
    /// A recording was ended by silence.
    RecordedMaxSilence,
    /// Nothing was heard to record.
    RecordedInitialSilence,
    /// A recording was ended by a key.
    RecordedStopTone,
    /// Nothing was received to record.
    RecordMediaTimeout,
    /// Something failed inside this server.
    InternalError,
}

impl Outcome {
    /// The documented numbers and words of this ending.
    pub fn result_info(self) -> ResultInfo {
        let (code, subcode, message) = match self {
            Self::ActionCompleted => (200, 0, "Action completed successfully."),
            Self::ServerRestarted => {
                (500, 9001, "The call ended because the server that held its media restarted.")
            }
            Self::CalleeBusy => (486, 8539, "The callee is busy."),
            Self::CalleeDeclined => (603, 8538, "The callee declined the call."),
            Self::CalleeSilent => (408, 10057, "The callee's endpoints did not respond."),
            Self::CalleeHasNoEndpoint => (480, 10037, "The callee has no endpoint registered."),
            Self::CalleeUnreachable => (480, 10076, "The callee is unreachable."),
            Self::CalleeNotFound => (404, 8543, "The callee was not found."),
            Self::CalleeRefusedOffer => {
                (488, 8500, "The callee's endpoint did not accept the media that was offered.")
            }
            Self::EndedByBot => (200, 7000, "The call was ended by the application."),
            Self::CancelledByBot => (487, 0, "The call was cancelled before it was answered."),
            Self::EndedByPeer => (200, 4521, "The call was ended by the other party."),
            Self::RemovedByParticipant => (200, 5000, "The participant was removed by another one."),
            Self::EveryoneElseLeft => (200, 5002, "Everyone else has left the conversation."),
            Self::InitiatorLeft => (200, 5007, "The initiator of the group call has left."),
            Self::LeftAlone => (200, 5010, "The participant was left alone in the conversation."),
            Self::NobodyJoined => (200, 5013, "Nobody joined the conversation."),
            Self::OnlyHiddenLeft => (200, 5020, "Only hidden participants are left in the conversation."),
            Self::LobbyTimedOut => (200, 5855, "The time to wait in the lobby is over."),
            Self::MeetingLocked => (403, 8560, "The meeting is locked."),
            Self::TooManyParticipants => {
                (400, 8523, "The conversation has as many participants as it may have.")
            }
            Self::Replaced => (200, 5003, "The participant has moved to another conversation."),
            Self::OperationCancelled => (400, 8508, "Action was cancelled."),
            Self::CallEndedDuringOperation => (400, 8528, "The call ended before the action completed."),
            Self::KeepAliveMissing => {
                (408, 8537, "The call was ended because keepAlive was not received in time.")
            }
            Self::MediaLost => (410, 301005, "Media connectivity was lost."),
            Self::MediaFailed => (500, 1005, "Media could not be established."),
            Self::NotAnswered => (487, 10004, "The callee did not answer in time."),
            Self::PromptDownloadFailed => (400, 8536, "The prompt could not be downloaded."),
            Self::PromptInvalid => (400, 8535, "The prompt's file format is not valid."),
            Self::TooManyOperations => (400, 8516, "Too many media operations are waiting."),
            Self::RecordedMaxDuration => {
                (200, 8515, "Action was completed as the maximum duration was reached.")
            }
            Self::RecordedMaxSilence => {
                (200, 8509, "Action was completed as the maximum silence was reached.")
            }
            Self::RecordedInitialSilence => (400, 8510, "Action failed as nothing was heard in time."),
            Self::RecordedStopTone => (200, 8514, "Action was completed by a stop tone."),
            Self::RecordMediaTimeout => (400, 8513, "Action failed as no media was received."),
            Self::InternalError => (500, 9999, "The server failed internally."),
        };
        ResultInfo { code, subcode, message: message.to_owned() }
    }
}
