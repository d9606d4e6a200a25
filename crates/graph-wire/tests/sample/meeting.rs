//! A meeting of the documented examples.

use std::collections::BTreeMap;

use model::{
    AllowedPresenters, LobbyBypass, LobbyBypassScope, MeetingId, OnlineMeeting, TenantId, Timestamp, UserId,
};

/// The thread of the meeting that is joined by its coordinates.
pub(crate) const THREAD: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2";
/// The thread of the meeting that is joined by its number.
pub(crate) const NUMBERED_THREAD: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNNkYTFm@thread.v2";

pub(crate) fn meeting(thread_id: &str) -> OnlineMeeting {
    OnlineMeeting {
        id: MeetingId::from("MSo1ODEwY2VkZQ"),
        tenant: TenantId::from("86dc81db-c112-4228-9222-63f3esaa1edb"),
        organizer: UserId::from("5810cede-f3cc-42eb-b2c1-e9bd5d53ec96"),
        organizer_name: Some("Bob".to_owned()),
        thread_id: thread_id.to_owned(),
        external_id: None,
        subject: Some("Weekly sync".to_owned()),
        created_at: Timestamp::from_millis(0),
        starts_at: Timestamp::from_millis(0),
        ends_at: Timestamp::from_millis(3_600_000),
        attendees: Vec::new(),
        join_meeting_id: "1234567".to_owned(),
        passcode: Some("psw123".to_owned()),
        video_teleconference_id: None,
        lobby_bypass: LobbyBypass { scope: LobbyBypassScope::Everyone, is_dial_in_bypass_enabled: false },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Everyone,
        is_entry_exit_announced: false,
        is_locked: false,
        consents: BTreeMap::new(),
        options: BTreeMap::new(),
        is_from_file: false,
        revision: 0,
    }
}
