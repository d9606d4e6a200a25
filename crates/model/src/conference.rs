//! What a group call or a meeting shows: its roster, its private sound, what became of its recording.

use serde::{Deserialize, Serialize};

use crate::{Modality, Participant, ParticipantId};

/// The participants of a group call or a meeting, as one application is told of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Grows with every roster that an application is told; `sequenceNumber` of a delta.
    pub sequence: u64,
    /// Whether only what changed is in it, for applications that asked for that (`isDeltaRosterEnabled`).
    pub is_delta: bool,
    /// The participants: in a full roster those that are there, in a delta those that changed or left.
    pub participants: Vec<RosterParticipant>,
}

/// Someone in a roster (`participant`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterParticipant {
    /// The participant's id, the same in every roster.
    pub id: ParticipantId,
    /// Who it is.
    pub info: Participant,
    /// Whether it is muted, by itself or by the server.
    pub is_muted: bool,
    /// Whether it waits in the lobby.
    pub is_in_lobby: bool,
    /// What it may do in a meeting; `None` in a group call.
    pub role: Option<MeetingRole>,
    /// What it sends and receives.
    pub media_streams: Vec<MediaStream>,
    /// Whether the participant records, once it has said so.
    pub recording: Option<RecordingInfo>,
    /// A JSON document for clients that share conventions, such as `hidden`.
    pub metadata: Option<String>,
    /// When it changed last, counted over the whole conference (`rosterSequenceNumber`).
    pub sequence: u64,
    /// Why it is gone; only in deltas.
    pub removed: Option<String>,
}

/// A stream of a participant (`mediaStream`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaStream {
    /// The kind of media.
    pub media_type: Modality,
    /// The number that media frames and speaker events name it by: stable, and unique in the conference.
    pub source_id: u32,
    /// Which way it flows, as the participant sees it.
    pub direction: MediaDirection,
    /// Whether the server drops it.
    pub is_server_muted: bool,
    /// A name by convention, such as `main-audio`.
    pub label: Option<String>,
}

/// Which way media flows (`mediaDirection`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MediaDirection {
    /// Neither way.
    Inactive,
    /// It only receives.
    ReceiveOnly,
    /// Both ways.
    SendReceive,
    /// It only sends.
    SendOnly,
}

/// What someone may do in a meeting (`onlineMeetingRole`, with the organizer beside it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MeetingRole {
    /// Listens and speaks.
    Attendee,
    /// Also admits, mutes and removes.
    Presenter,
    /// A presenter of a broadcast.
    Producer,
    /// Shares what the organizer may do.
    Coorganizer,
    /// Called the meeting.
    Organizer,
}

impl MeetingRole {
    /// Whether it may admit, mute and remove others.
    pub const fn can_present(self) -> bool {
        match self {
            Self::Attendee => false,
            Self::Presenter | Self::Producer | Self::Coorganizer | Self::Organizer => true,
        }
    }
}

/// Whether a participant records (`recordingInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingInfo {
    /// How far it is.
    pub status: RecordingStatus,
    /// Who started it.
    pub initiator: Option<crate::IdentitySet>,
}

/// How far a recording is (`recordingStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordingStatus {
    /// Not known.
    Unknown,
    /// Nothing is recorded.
    NotRecording,
    /// It records.
    Recording,
    /// It should, and cannot.
    Failed,
}

/// Which side of screen sharing an application takes (`screenSharingRole`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScreenSharingRole {
    /// It watches.
    Viewer,
    /// It shares.
    Sharer,
}

/// A private route of sound (`audioRoutingGroup`): its sources are heard by its receivers, and by nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRoutingGroup {
    /// The id that the client chose, or one of ours.
    pub id: String,
    /// How many may listen.
    pub mode: RoutingMode,
    /// Who is heard: one.
    pub sources: Vec<ParticipantId>,
    /// Who listens: one, or several in a multicast.
    pub receivers: Vec<ParticipantId>,
}

/// How many listen to a private route (`routingMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RoutingMode {
    /// One.
    OneToOne,
    /// Several.
    Multicast,
}
