//! `callTranscriptionInfo`.

use model::{Call, CallKind, Timestamp};

use crate::wire::{wire_enum, wire_object};

/// Nothing is transcribed here: a call of several says since when that is so, as `call-get` shows it for a group
/// call, and a call between two says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transcription {
    last_modified: Timestamp,
    state: TranscriptionState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TranscriptionState {
    NotStarted,
}

impl Transcription {
    pub(crate) fn of(call: &Call) -> Option<Self> {
        match call.kind {
            CallKind::Group | CallKind::Meeting => {
                Some(Self { last_modified: call.created_at, state: TranscriptionState::NotStarted })
            }
            CallKind::PeerToPeer { .. } => None,
        }
    }
}

wire_object! {
    Transcription as "callTranscriptionInfo" {
        last_modified: "lastModifiedDateTime" required,
        state: "state" required,
    }
}

wire_enum! {
    TranscriptionState as "callTranscriptionState" {
        TranscriptionState::NotStarted = "notStarted",
    }
}
