use serde::{Deserialize, Serialize};

use crate::{
    AppId, CallId, ChainId, ChatInfo, ContentSharingSessionId, Identity, IdentitySet, Incoming, MediaInfo,
    MeetingInfo, OnlineMeeting, Outcome, ParticipantId, Person, ScenarioId, TenantId, Timestamp, Tone,
};

/// What an application asks for when it creates a call, found valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCall {
    /// The application that calls.
    pub app: AppId,
    /// Its name to show.
    pub app_name: String,
    /// The tenant that the call belongs to.
    pub tenant: TenantId,
    /// Where notifications go.
    pub callback_uri: String,
    /// Given by the client to correlate, or `None` to have one made.
    pub chain: Option<ChainId>,
    /// Given by the client to correlate, or `None` to have one made.
    pub scenario: Option<ScenarioId>,
    /// Who calls, where the client said so.
    pub source: Option<Participant>,
    /// Whom it calls, or what it joins.
    pub destination: Destination,
    /// The subject, shown again.
    pub subject: Option<String>,
    /// What was asked for, in order.
    pub requested_modalities: Vec<Modality>,
    /// Who hosts the media.
    pub media_config: MediaConfig,
    /// Options, where the client sent any.
    pub call_options: Option<CallOptions>,
    /// Whether the client named the tenant itself, so that it is shown again.
    pub is_tenant_shown: bool,
}

/// Where a new call leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To several people, who meet in a conference of their own: two or more.
    Group(Vec<Invitee>),
    /// Into a meeting.
    Meeting(Box<MeetingJoin>),
    /// To one person, or one number.
    Person(Box<Invitee>),
}

/// Someone to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitee {
    /// As the request has it.
    pub target: InvitationParticipant,
    /// Who that is.
    pub callee: Person,
}

/// A meeting that is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingJoin {
    /// The meeting, as it was found.
    pub meeting: OnlineMeeting,
    /// Its chat, as it is shown.
    pub chat: ChatInfo,
    /// How the request named it, shown again.
    pub asked: MeetingInfo,
    /// Who the application is in the meeting where it joins as a guest.
    pub guest: Option<Identity>,
}

/// What a call is between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallKind {
    /// The application and several others.
    Group,
    /// The application and whoever is in a meeting.
    Meeting,
    /// The application and one other.
    PeerToPeer {
        /// Who is at the other end: who is called, or who calls.
        #[serde(alias = "callee")]
        person: Person,
    },
}

/// A call as the API shows it; also what a store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The call's id.
    pub id: CallId,
    /// The application that the call belongs to.
    pub app: AppId,
    /// The tenant that the call belongs to.
    pub tenant: TenantId,
    /// Whether the client named the tenant itself.
    pub is_tenant_shown: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where notifications go.
    pub callback_uri: String,
    /// Correlates all legs of one conversation.
    pub chain: ChainId,
    /// Correlates all HTTP traffic of this call.
    pub scenario: ScenarioId,
    /// Who called whom.
    pub direction: CallDirection,
    /// Where the call is in its life.
    pub state: CallState,
    /// Whether media flows; `None` until that is known.
    pub media_state: Option<MediaState>,
    /// The application's own participant.
    pub my_participant: ParticipantId,
    /// Who called.
    pub source: Participant,
    /// Who was called.
    pub targets: Vec<InvitationParticipant>,
    /// What it has besides where it came in.
    #[serde(default)]
    pub incoming: Option<Box<Incoming>>,
    /// What it is between.
    pub kind: CallKind,
    /// The chat of the meeting that it is in.
    pub chat: Option<ChatInfo>,
    /// How the request named the meeting.
    pub meeting: Option<MeetingInfo>,
    /// The subject.
    pub subject: Option<String>,
    /// What was asked for, in order.
    pub requested_modalities: Vec<Modality>,
    /// Who hosts the media; says nothing before a call that came in is answered.
    pub media_config: MediaConfig,
    /// Options, where the client sent any.
    pub call_options: Option<CallOptions>,
    /// The last key heard, in tone notifications.
    pub tone: Option<ToneInfo>,
    /// Who answered.
    pub answered_by: Option<Participant>,
    /// The screen that is shared in it at the moment.
    #[serde(default)]
    pub content_sharing: Option<ContentSharingSessionId>,
    /// Why it ended, or why it could not be transferred where that is the latest news of it.
    pub outcome: Option<Outcome>,
    /// How many notifications it has had; the sequence of the last one.
    pub notified: u64,
}

impl Call {
    /// The application instance that called, or was called: by its number, the call goes over the phone network.
    pub fn application_instance(&self) -> Option<&str> {
        let identity = match self.direction {
            CallDirection::Incoming => &self.targets.first()?.identity,
            CallDirection::Outgoing => &self.source.identity,
        };
        identity.application_instance.as_ref()?.id.as_deref()
    }

    /// Whether the other party of a call between two is in the phone network.
    pub const fn is_with_phone_network(&self) -> bool {
        match &self.kind {
            CallKind::PeerToPeer { person } => person.is_in_phone_network(),
            CallKind::Group | CallKind::Meeting => false,
        }
    }
}

/// Who called whom (`callDirection`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CallDirection {
    /// Someone calls the application.
    Incoming,
    /// The application calls.
    Outgoing,
}

/// Where a call is in its life (`callState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CallState {
    /// It rings at the application.
    Incoming,
    /// It is being set up.
    Establishing,
    /// People can talk.
    Established,
    /// The other party is being handed over to someone else.
    Transferring,
    /// Whoever the other party is handed over to takes it.
    TransferAccepted,
    /// It rings at those that the application sent it on to.
    Redirecting,
    /// It is being taken down.
    Terminating,
    /// It is over.
    Terminated,
}

impl CallState {
    /// Whether people can talk, or could a moment ago: the call is answered and nobody has ended it.
    pub const fn is_connected(self) -> bool {
        match self {
            Self::Established | Self::Transferring | Self::TransferAccepted => true,
            Self::Incoming
            | Self::Establishing
            | Self::Redirecting
            | Self::Terminating
            | Self::Terminated => false,
        }
    }
}

/// Whether media flows (`mediaState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MediaState {
    /// It flows.
    Active,
    /// It does not.
    Inactive,
}

/// A kind of media (`modality`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Modality {
    /// Sound.
    Audio,
    /// Pictures of people.
    Video,
    /// Pictures of a screen.
    VideoBasedScreenSharing,
    /// Data.
    Data,
}

/// Who hosts the media (`mediaConfig`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaConfig {
    /// The application's own program hears and speaks.
    AppHosted {
        /// What the application's program is told or has told to be connected; in a call that is made, what it is told.
        blob: Option<String>,
        /// Echoed where the client sent it.
        remove_from_default_audio_group: Option<bool>,
    },
    /// The server plays and records.
    ServiceHosted {
        /// Prompts to fetch ahead of time.
        pre_fetch_media: Vec<MediaInfo>,
        /// Echoed where the client sent it.
        remove_from_default_audio_group: Option<bool>,
    },
}

impl MediaConfig {
    /// Whether the application's own program hears and speaks.
    pub const fn is_app_hosted(&self) -> bool {
        matches!(self, Self::AppHosted { .. })
    }

    /// Whether the application is to hear and be heard by those only whom an audio routing group connects it with.
    pub const fn is_outside_default_audio_group(&self) -> bool {
        let (Self::AppHosted { remove_from_default_audio_group: removed, .. }
        | Self::ServiceHosted { remove_from_default_audio_group: removed, .. }) = self;
        matches!(removed, Some(true))
    }
}

/// Options of a call (`outgoingCallOptions`, `incomingCallOptions`); `None` where the client said nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallOptions {
    /// Hide the application once a third party joins.
    pub hide_bot_after_escalation: Option<bool>,
    /// Tell of content sharing.
    pub is_content_sharing_notification_enabled: Option<bool>,
    /// Send changed participants instead of full rosters.
    pub is_delta_roster_enabled: Option<bool>,
    /// Declared by the API without a documented meaning; echoed.
    pub is_interactive_roster_enabled: Option<bool>,
}

/// Someone in a call (`participantInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Who it is.
    pub identity: IdentitySet,
    /// ISO 3166-1 alpha-2.
    pub country_code: Option<String>,
    /// The kind of endpoint.
    pub endpoint_type: Option<String>,
    /// The language.
    pub language_id: Option<String>,
    /// The home region.
    pub region: Option<String>,
}

/// Someone to be called (`invitationParticipantInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationParticipant {
    /// Who it is.
    pub identity: IdentitySet,
    /// The kind of endpoint.
    pub endpoint_type: Option<String>,
    /// Whether it is left out of rosters.
    pub hidden: Option<bool>,
    /// The call to drop once this one is in.
    pub replaces_call_id: Option<String>,
    /// Whether it starts outside the default routing group.
    pub remove_from_default_audio_routing_group: Option<bool>,
}

/// A key that was heard (`toneInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToneInfo {
    /// Counts the keys of a call from 1.
    pub sequence_id: i64,
    /// The key.
    pub tone: Tone,
}
