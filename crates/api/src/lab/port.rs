use std::future::Future;
use std::pin::Pin;

use graph_wire::InvalidRequest;
use model::{CallId, Owner, Timestamp, UserId};
use serde_json::Value;

/// Places calls of scripted users, for tests of bots: the seam between HTTP and whatever has the telephones.
///
/// A call that another application placed, or the same one in another tenant, does not exist for the asking one.
pub trait Lab: Send + Sync {
    /// Places a call; resolves once it is under way.
    fn place<'a>(&'a self, owner: &'a Owner, call: LabCall) -> LabFuture<'a, CallId>;

    /// Shows a call, also for a while after its end.
    fn call(&self, owner: &Owner, id: CallId) -> Option<LabState>;

    /// What the user has heard so far, as a WAV file.
    fn heard(&self, owner: &Owner, id: CallId) -> Option<Vec<u8>>;

    /// Hangs up; says whether there is such a call.
    fn hang_up(&self, owner: &Owner, id: CallId) -> bool;
}

/// A request under way.
pub type LabFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LabFault>> + Send + 'a>>;

/// Why a call was not placed.
#[derive(Debug, thiserror::Error)]
pub enum LabFault {
    /// As many calls are under way as may.
    #[error("too many calls of the lab are under way")]
    Busy,
    /// Something of the request cannot be done.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The telephone did not come to be.
    #[error("failed to place a call of the lab: {0}")]
    Unavailable(String),
}

/// A call that a user is to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabCall {
    /// Who calls.
    pub from: UserId,
    /// Whom: a SIP address, or a name or id at this server.
    pub to: String,
    /// What the user does once the call is answered, one after the other.
    pub steps: Vec<LabStep>,
    /// How long after the answer the user hangs up: `5s`.
    pub hang_up_after: Option<String>,
    /// How long each expectation waits.
    pub expect_timeout: Option<String>,
    /// The SIP status with which the call is to be refused.
    pub expect_refused: Option<u32>,
}

/// One step of such a call; lengths of time are text such as `300ms`, as people write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabStep {
    /// Presses keys.
    Dtmf(String),
    /// Waits for a known sound.
    ExpectAudio {
        /// Where the WAV file is.
        uri: String,
        /// How soon it has to begin.
        within: Option<String>,
    },
    /// Waits for keys.
    ExpectDtmf(String),
    /// Waits for a steady tone of this pitch in Hz.
    ExpectTone(u32),
    /// Puts the far end on hold for so long.
    Hold(String),
    /// Does nothing for so long.
    Pause(String),
    /// Says the WAV file at this address.
    Say(String),
    /// Plays a tone.
    Tone {
        /// Its pitch in Hz.
        hz: u32,
        /// Its length.
        length: Option<String>,
    },
    /// Asks the far end to call somebody else instead.
    Transfer(String),
}

/// What has become of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct LabState {
    /// Who calls.
    pub from: UserId,
    /// Whom, as it was asked for.
    pub to: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// `calling`, `answered` or `over`.
    pub state: &'static str,
    /// What has happened, in order.
    pub happened: Vec<LabMoment>,
    /// Once it is over: whether all was met, and each step.
    pub verdict: Option<LabVerdict>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabMoment {
    /// When, in milliseconds: since the answer, before that since the call was placed.
    pub at_ms: u64,
    /// Whether the call had been answered.
    pub is_in_call: bool,
    /// What, for people.
    pub text: String,
}

/// How a call went.
#[derive(Clone, Debug, PartialEq)]
pub struct LabVerdict {
    /// Why it did not go as planned, where it did not, and when in milliseconds.
    pub failure: Option<(u64, String)>,
    /// What became of each step, as [`Value`] with `step`, `outcome`, `beganMs` and `endedMs`.
    pub steps: Vec<Value>,
}
