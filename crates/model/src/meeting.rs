//! Meetings, which exist apart from the calls that are in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AppId, Identity, IdentitySet, MeetingId, MeetingRole, PermissionSet, TenantId, Timestamp, UserId,
};

/// A meeting as it is kept (`onlineMeeting`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlineMeeting {
    /// The meeting's id.
    pub id: MeetingId,
    /// The tenant that it belongs to. Thread, join id and teleconference id are unique within it.
    pub tenant: TenantId,
    /// Who called it.
    pub organizer: UserId,
    /// The organizer's name to show.
    pub organizer_name: Option<String>,
    /// The thread of its chat: `19:meeting_…@thread.v2`.
    pub thread_id: String,
    /// The client's own key (`externalId` of createOrGet), unique for tenant and organizer.
    pub external_id: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who is invited beside the organizer.
    pub attendees: Vec<MeetingAttendee>,
    /// The digits that join it (`joinMeetingIdSettings`).
    pub join_meeting_id: String,
    /// What has to be said beside them, where that is required.
    pub passcode: Option<String>,
    /// The number for video systems.
    pub video_teleconference_id: Option<String>,
    /// Who need not wait in the lobby.
    pub lobby_bypass: LobbyBypass,
    /// Who may admit from the lobby: presenters too, or only organizers.
    pub is_admitting_left_to_organizers: bool,
    /// Who presents.
    pub allowed_presenters: AllowedPresenters,
    /// Whether coming and going is announced.
    pub is_entry_exit_announced: bool,
    /// Whether nobody may join any more.
    pub is_locked: bool,
    /// Resource-specific consent: what applications may do in this chat only (`Calls.JoinGroupCalls.Chat`, …).
    pub consents: BTreeMap<AppId, PermissionSet>,
    /// Further declared options by their JSON name, kept and shown: switches and words.
    pub options: BTreeMap<String, MeetingOption>,
    /// Whether a directory file made it, and so may take it away.
    pub is_from_file: bool,
    /// Counts its changes: of two states of a meeting the one with the larger number is the later.
    #[serde(default)]
    pub revision: u64,
}

impl OnlineMeeting {
    /// What someone is in this meeting. `user` is a person of the meeting's tenant; guests and applications have none.
    pub fn role_of(&self, user: Option<&UserId>) -> MeetingRole {
        let Some(user) = user else { return self.role_of_others(false) };
        if *user == self.organizer {
            return MeetingRole::Organizer;
        }
        match self.attendee(user).map(|attendee| attendee.role) {
            Some(MeetingRole::Attendee) | None => self.role_of_others(true),
            Some(role) => role,
        }
    }

    /// The entry of someone who is invited beside the organizer.
    pub fn attendee(&self, user: &UserId) -> Option<&MeetingAttendee> {
        self.attendees.iter().find(|attendee| {
            let id = attendee.identity.user.as_ref().and_then(|user| user.id.as_deref());
            id.is_some_and(|id| id.eq_ignore_ascii_case(user.as_str()))
        })
    }

    /// What applications of the directory (`is_of_organization`) and guests are.
    pub fn role_of_others(&self, is_of_organization: bool) -> MeetingRole {
        let presents = match self.allowed_presenters {
            AllowedPresenters::Everyone => true,
            AllowedPresenters::Organization => is_of_organization,
            AllowedPresenters::RoleIsPresenter | AllowedPresenters::Organizer => false,
        };
        if presents { MeetingRole::Presenter } else { MeetingRole::Attendee }
    }

    /// The organizer as rosters and `meetingInfo` show it.
    pub fn organizer_identity(&self) -> IdentitySet {
        let identity =
            Identity { display_name: self.organizer_name.clone(), ..Identity::of(self.organizer.as_str()) };
        IdentitySet::user(identity)
    }
}

/// Someone invited (`meetingParticipantInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingAttendee {
    /// Who.
    pub identity: IdentitySet,
    /// As what.
    pub role: MeetingRole,
    /// The user principal name.
    pub upn: Option<String>,
}

/// Who need not wait in the lobby (`lobbyBypassSettings`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LobbyBypass {
    /// Who comes straight in.
    pub scope: LobbyBypassScope,
    /// Whether callers from the phone network do.
    pub is_dial_in_bypass_enabled: bool,
}

/// Who comes straight in (`lobbyBypassScope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LobbyBypassScope {
    /// Only the organizer.
    Organizer,
    /// The organizer's tenant, guests of the directory included.
    Organization,
    /// That and tenants that trust each other.
    OrganizationAndFederated,
    /// Everyone.
    Everyone,
    /// Who was invited.
    Invited,
    /// The organizer's tenant without guests of the directory.
    OrganizationExcludingGuests,
}

/// Who presents (`onlineMeetingPresenters`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AllowedPresenters {
    /// Everyone.
    Everyone,
    /// The organizer's tenant.
    Organization,
    /// Attendees with that role.
    RoleIsPresenter,
    /// Only the organizer.
    Organizer,
}

/// The value of a meeting's option that only clients act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeetingOption {
    /// A switch.
    Switch(bool),
    /// One of the words that the API declares for it.
    Word(String),
}

/// Where a meeting's chat is (`chatInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatInfo {
    /// The thread.
    pub thread_id: String,
    /// The message that the meeting hangs on; `0` for a meeting's own chat.
    pub message_id: Option<String>,
    /// The message that it replies to.
    pub reply_chain_message_id: Option<String>,
}

/// How a call said which meeting it joins (`meetingInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeetingInfo {
    /// By its number.
    JoinMeetingId {
        /// The number.
        join_meeting_id: String,
        /// Its passcode, where it has one.
        passcode: Option<String>,
    },
    /// By its chat and organizer.
    Organizer {
        /// Who called the meeting.
        organizer: Box<IdentitySet>,
        /// Whether the meeting goes on when the application leaves.
        allow_conversation_without_host: Option<bool>,
    },
    /// By a token.
    Token {
        /// The token.
        token: String,
    },
}
