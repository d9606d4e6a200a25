//! The bodies that show meetings.

use std::time::Duration;

use graph_wire::{
    CreateMeeting, Language, Limits, MeetingCollection, MeetingIds, MeetingView, ReadOptions, meeting_list,
    read_meeting,
};
use model::{MeetingId, OnlineMeeting, TenantId, Timestamp, UserId};
use serde_json::Value;

/// The first documented request, with its spaces and zones.
const REQUEST: &[u8] = br#"{
  "startDateTime":"2019-07-12T14:30:34.2444915-07:00",
  "endDateTime":"2019-07-12T15:00:34.2464912-07:00",
  "subject":"User meeting in Microsoft Teams channel.",
  "joinMeetingIdSettings": {"isPasscodeRequired": true},
  "participants": {"attendees": [{
    "identity": {"user": {"id": "112f7296-5fa4-42ca-bae8-6a692b15d4b8", "displayName": "John"}},
    "upn": "john@contoso.example",
    "role": "coorganizer"
  }]}
}"#;

fn made() -> OnlineMeeting {
    let ids = MeetingIds {
        id: MeetingId::from("MSpkYzE3Njc0YyoqMCoqMTk6bWVldGluZ19NR1E0"),
        tenant: TenantId::from("909c6581-5130-43e9-88f3-fcb3582cde37"),
        organizer: UserId::from("dc17674c-81d9-4adb-bfb2-8f6a442e4622"),
        organizer_name: Some("Heidi Steen".to_owned()),
        thread_id: "19:meeting_MGQ4MDQyNTEtNTQ2NS00YjQxLTlkM2EtZWVkODYxODYzMmY2@thread.v2".to_owned(),
        join_meeting_id: "1234567890".to_owned(),
        passcode: "123abc".to_owned(),
        video_teleconference_id: Some("123456789".to_owned()),
    };
    let created_at = Timestamp::from_millis(1_562_811_437_649);
    CreateMeeting::decode(REQUEST, &Limits::default()).unwrap().into_meeting(ids, created_at)
}

pub(crate) fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let meeting = made();
    let view = MeetingView {
        base: "https://graph.microsoft.com/v1.0".to_owned(),
        join_base: "https://teams.microsoft.com".to_owned(),
        collection: MeetingCollection::OfUser(meeting.organizer.clone()),
        language: Language::accepted("ja"),
        organizer_upn: Some("heidi@contoso.example".to_owned()),
        dial_in_numbers: Vec::new(),
        kept: Some(Duration::from_secs(60 * 24 * 3600)),
        shows_unknown_members: false,
    };
    let numbers = ["+12345678999", "+493012345678"].map(|number| number.parse().unwrap());
    let all = MeetingView {
        collection: MeetingCollection::All,
        kept: None,
        dial_in_numbers: numbers.into(),
        ..view.clone()
    };
    let plain = OnlineMeeting { passcode: None, subject: None, attendees: Vec::new(), ..meeting.clone() };
    let (everything, some) =
        (ReadOptions::default(), ReadOptions::from_query("$select=joinWebUrl,subject").unwrap());
    vec![
        ("meeting", "onlineMeeting", read_meeting(&view, &meeting, &everything)),
        ("found-meeting", "onlineMeetingCollectionResponse", meeting_list(&all, Some(&plain), &everything)),
        ("no-meeting", "onlineMeetingCollectionResponse", meeting_list(&view, None, &some)),
    ]
}
