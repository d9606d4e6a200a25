use serde::{Deserialize, Serialize};

use crate::{InvitationParticipant, MediaPrompt, OperationId, Outcome, RecordParams, RecordingStatus, Tone};

/// Something asked of a call that takes its time (`commsOperation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The operation's id.
    pub id: OperationId,
    /// What it does, with what its kind shows.
    pub kind: OperationKind,
    /// How far it is.
    pub status: OperationStatus,
    /// The caller's string, echoed unchanged.
    pub client_context: Option<String>,
    /// How it ended; `None` until then.
    pub outcome: Option<Outcome>,
}

/// The kinds of operations and what is particular to each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Shows several pictures at once.
    AddLargeGalleryView,
    /// Ends the media operations that run or wait.
    CancelMediaProcessing,
    /// Calls others into the conference.
    InviteParticipants {
        /// Whom, as the request had them.
        participants: Vec<InvitationParticipant>,
    },
    /// Mutes everyone, or those that were named.
    MuteAll,
    /// Mutes someone, or the application itself.
    MuteParticipant,
    /// Plays prompts one after the other.
    PlayPrompt {
        /// What to play, in order.
        prompts: Vec<MediaPrompt>,
    },
    /// Records what the far end says.
    Record {
        /// What was asked for.
        params: RecordParams,
        /// Why the recording ended; `None` until then.
        completion: Option<RecordCompletion>,
        /// Where the recording is fetched, once there is one: an absolute URL.
        location: Option<String>,
        /// The bearer token that fetches it.
        access_token: Option<String>,
    },
    /// Sends keys to the far end.
    SendDtmfTones {
        /// The keys in order.
        tones: Vec<Tone>,
        /// The pause between two keys.
        delay_between_tones_ms: u32,
        /// How it ended; `None` until then.
        completion: Option<SendDtmfCompletion>,
    },
    /// Takes someone aside, to music.
    StartHoldMusic,
    /// Takes someone back.
    StopHoldMusic,
    /// Asks to be told of the far end's keys.
    SubscribeToTone,
    /// Unmutes the application itself.
    UnmuteParticipant,
    /// Says whether the application records.
    UpdateRecordingStatus {
        /// What it says.
        status: RecordingStatus,
    },
}

/// How far an operation is (`operationStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OperationStatus {
    /// It waits.
    NotStarted,
    /// It is under way.
    Running,
    /// It did what was asked.
    Completed,
    /// It did not.
    Failed,
}

impl OperationStatus {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// Why a recording ended (`recordCompletionReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordCompletion {
    /// Cancelled, or the call ended.
    OperationCanceled,
    /// A stop tone was heard.
    StopToneDetected,
    /// The longest duration was reached.
    MaxRecordDurationReached,
    /// Nothing was heard.
    InitialSilenceTimeout,
    /// Silence followed.
    MaxSilenceTimeout,
    /// The prompt before it could not be played.
    PlayPromptFailed,
    /// The beep before it could not be played.
    PlayBeepFailed,
    /// No media came.
    MediaReceiveTimeout,
    /// Something else failed.
    UnspecifiedError,
}

/// How sending tones ended (`sendDtmfCompletionReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SendDtmfCompletion {
    /// All keys were sent.
    CompletedSuccessfully,
    /// Cancelled, or the call ended.
    MediaOperationCanceled,
    /// Not known.
    Unknown,
}
