//! What a script is told, and what it wants done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use media_engine::Tone;
use sip_message::Uri;

use crate::plan::Sound;
use crate::report::{FailureKind, Moment};

/// What a script is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The call was answered, and both sides hear each other from now on.
    Answered,
    /// The call is over, or never came to be.
    Ended(End),
    /// The next 20 ms of what is heard, at 16 kHz.
    Heard(&'a [i16]),
    /// Somebody wants the telephone to stop.
    Interrupted,
    /// A key was pressed over there.
    Key(Tone),
    /// What is played, or the keys that are pressed, came to the end; false where they could not be.
    Played {
        /// The number that the effect gave.
        job: u64,
        /// Whether all of it was sent.
        is_done: bool,
    },
    /// The far end agreed to be held or resumed, or did not, and why.
    SessionChanged(Result<(), String>),
    /// How a transfer goes.
    Transfer(TransferNews),
}

/// How a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferNews {
    /// The far end does what it was asked.
    Accepted,
    /// The call that it made has a final status; `None` where it did not say.
    Ended(Option<u16>),
    /// The far end refuses.
    Refused(u16),
}

/// Why a call is over, or never came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Something is wrong here or on the way.
    Failed(FailureKind, String),
    /// The far end hung up, or gave up before the answer.
    FarEnd,
    /// The call was refused.
    Refused {
        /// The SIP status.
        status: u16,
        /// What the far end says about it.
        reason: String,
    },
    /// This side hung up.
    ThisSide,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_, why) => f.write_str(why),
            Self::FarEnd => f.write_str("the far end hung up"),
            Self::Refused { status, reason } => f.write_str(&refusal(*status, reason)),
            Self::ThisSide => f.write_str("hung up"),
        }
    }
}

/// A refusal as people say it.
pub(super) fn refusal(status: u16, reason: &str) -> String {
    let words = match status {
        401 | 407 => "not signed in",
        403 => "forbidden",
        404 | 604 => "not found",
        408 | 487 => "no answer",
        410 => "gone",
        480 => "not available",
        486 | 600 => "busy",
        488 | 606 => "no common codec",
        503 => "the server has no room",
        603 => "declined",
        _ if reason.is_empty() => "refused",
        _ => reason,
    };
    format!("{words} ({status})")
}

/// What a script wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hangs up; [`Input::Ended`] is to follow.
    HangUp,
    /// Puts the far end on hold or takes it back; [`Input::SessionChanged`] is to follow.
    Hold(bool),
    /// Presses keys; [`Input::Played`] is to follow.
    Press {
        /// Its number.
        job: u64,
        /// Which keys.
        keys: Vec<Tone>,
    },
    /// Says a sound; [`Input::Played`] is to follow.
    Say {
        /// Its number.
        job: u64,
        /// Which sound.
        sound: Arc<Sound>,
    },
    /// Tells people what has happened.
    Told(Moment),
    /// Plays a tone; [`Input::Played`] is to follow.
    Tone {
        /// Its number.
        job: u64,
        /// Its pitch.
        hz: u32,
        /// Its length.
        length: Duration,
    },
    /// Asks the far end to call somebody else; [`Input::Transfer`] is to follow.
    Transfer(Uri),
}
