//! How a meeting is shown.

use std::time::Duration;

use model::{ChatInfo, MeetingAttendee, MeetingRole, OnlineMeeting, PhoneNumber, UserId};
use serde_json::{Value, json};

use super::join_information::{Language, join_information};
use super::join_url::{encode, join_web_url};
use super::options::{settings_definitions, settings_members, write_settings};
use crate::ReadOptions;
use crate::create_call::OWN_CHAT;
use crate::wire::{Body, Defined, Definition, Member, Nulls, Shape, Wire};

/// How meetings are to be shown.
#[derive(Clone, Debug)]
pub struct MeetingView {
    /// Scheme, host and version of the API.
    pub base: String,
    /// Scheme and host of join links.
    pub join_base: String,
    /// Where the meeting was asked for.
    pub collection: MeetingCollection,
    /// The language of the invitation.
    pub language: Language,
    /// The user principal name of the organizer, where it is known.
    pub organizer_upn: Option<String>,
    /// The numbers by which people dial in to the meetings of the tenant.
    pub dial_in_numbers: Vec<PhoneNumber>,
    /// How long a meeting is kept after its end, where that is not for ever.
    pub kept: Option<Duration>,
    /// Whether the client takes words that came later than it (`Prefer: include-unknown-enum-members`).
    pub shows_unknown_members: bool,
}

/// Where meetings are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingCollection {
    /// `/communications/onlineMeetings`
    All,
    /// `/users/{id}/onlineMeetings`
    OfUser(UserId),
}

impl MeetingCollection {
    fn context(&self, base: &str, options: &ReadOptions) -> String {
        let selected = options.context();
        match self {
            Self::All => format!("{base}/$metadata#communications/onlineMeetings{selected}"),
            Self::OfUser(user) => format!("{base}/$metadata#users('{user}')/onlineMeetings{selected}"),
        }
    }

    /// Where it is, below the version.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::All => "communications/onlineMeetings".to_owned(),
            Self::OfUser(user) => format!("users/{}/onlineMeetings", encode(user.as_str())),
        }
    }
}

/// The body that shows one meeting.
pub fn read_meeting(view: &MeetingView, meeting: &OnlineMeeting, options: &ReadOptions) -> Value {
    let mut value = options.apply(whole(view, meeting).into());
    value["@odata.context"] = format!("{}/$entity", view.collection.context(&view.base, options)).into();
    value
}

/// The body that lists what a filter found: one meeting or none.
pub fn meeting_list(view: &MeetingView, found: Option<&OnlineMeeting>, options: &ReadOptions) -> Value {
    let items = found.into_iter().map(|meeting| options.apply(whole(view, meeting).into()));
    json!({
        "@odata.context": view.collection.context(&view.base, options),
        "value": items.collect::<Vec<_>>(),
    })
}

fn whole(view: &MeetingView, meeting: &OnlineMeeting) -> Body {
    let mut body = Body::of("onlineMeeting", Nulls::Show);
    let join_url = join_web_url(&view.join_base, meeting);
    body.set("id", meeting.id.as_str());
    match audio_conferencing(view, meeting) {
        Some(conferencing) => body.set("audioConferencing", conferencing),
        None => body.null("audioConferencing"),
    }
    body.required("chatInfo", &chat(meeting));
    body.required("creationDateTime", &meeting.created_at);
    body.required("endDateTime", &meeting.ends_at);
    let kept = view.kept.filter(|_| !meeting.is_from_file);
    body.nullable("expiryDateTime", &kept.map(|kept| meeting.ends_at.after(kept)));
    body.nullable("externalId", &meeting.external_id);
    body.set("isBroadcast", false);
    body.set("isEndToEndEncryptionEnabled", false);
    let mut invitation = Body::of("itemBody", Nulls::Show);
    invitation.set("content", join_information(meeting, &join_url, view.language));
    invitation.set("contentType", "html");
    body.set("joinInformation", invitation);
    let mut join = Body::of("joinMeetingIdSettings", Nulls::Show);
    join.set("isPasscodeRequired", meeting.passcode.is_some());
    join.set("joinMeetingId", meeting.join_meeting_id.as_str());
    join.nullable("passcode", &meeting.passcode);
    body.set("joinMeetingIdSettings", join);
    body.set("joinWebUrl", join_url);
    let mut participants = Body::of("meetingParticipants", Nulls::Show);
    participants.required("attendees", &meeting.attendees);
    participants.required("organizer", &organizer(view, meeting));
    body.set("participants", participants);
    body.required("startDateTime", &meeting.starts_at);
    body.nullable("subject", &meeting.subject);
    body.nullable("videoTeleconferenceId", &meeting.video_teleconference_id);
    write_settings(&mut body, meeting, view.shows_unknown_members);
    body
}

/// How callers of the phone network join: by any of the tenant's numbers, where they key in what joins the meeting.
fn audio_conferencing(view: &MeetingView, meeting: &OnlineMeeting) -> Option<Body> {
    let numbers: Vec<&str> = view.dial_in_numbers.iter().map(PhoneNumber::as_str).collect();
    let first = *numbers.first()?;
    let mut conferencing = Body::of("audioConferencing", Nulls::Show);
    conferencing.set("conferenceId", meeting.join_meeting_id.as_str());
    conferencing.null("dialinUrl");
    conferencing.null("tollFreeNumber");
    conferencing.empty("tollFreeNumbers");
    conferencing.set("tollNumber", first);
    conferencing.set("tollNumbers", numbers);
    Some(conferencing)
}

fn chat(meeting: &OnlineMeeting) -> ChatInfo {
    ChatInfo {
        thread_id: meeting.thread_id.clone(),
        message_id: Some(OWN_CHAT.to_owned()),
        reply_chain_message_id: None,
    }
}

fn organizer(view: &MeetingView, meeting: &OnlineMeeting) -> MeetingAttendee {
    MeetingAttendee {
        identity: meeting.organizer_identity(),
        role: MeetingRole::Organizer,
        upn: view.organizer_upn.clone(),
    }
}

/// The definitions of `onlineMeeting`, its base, and everything that only they have.
pub(crate) fn meeting_definitions() -> Vec<Definition> {
    let named = |name, of| Member::nullable(name, Shape::Named(of));
    let text = |name| Member::nullable(name, Shape::Text);
    let moment = |name| Member::nullable(name, Shape::Moment);
    let switch = |name| Member::nullable(name, Shape::Boolean);
    let object = |name, base, members| Definition::Object { name, base, members };
    let mut base = vec![
        named("audioConferencing", "audioConferencing"),
        Member::nullable("chatInfo", ChatInfo::shape()),
        moment("expiryDateTime"),
        switch("isEndToEndEncryptionEnabled"),
        named("joinInformation", "itemBody"),
        named("joinMeetingIdSettings", "joinMeetingIdSettings"),
        text("joinWebUrl"),
        text("subject"),
        text("videoTeleconferenceId"),
    ];
    base.extend(settings_members());
    let own = vec![
        moment("creationDateTime"),
        moment("endDateTime"),
        text("externalId"),
        switch("isBroadcast"),
        named("participants", "meetingParticipants"),
        moment("startDateTime"),
    ];
    let texts = Shape::List(Box::new(Shape::Text));
    let attendees = Shape::List(Box::new(MeetingAttendee::shape()));
    let mut definitions = vec![
        object("onlineMeetingBase", Some("entity"), base),
        object("onlineMeeting", Some("onlineMeetingBase"), own),
        object(
            "joinMeetingIdSettings",
            None,
            vec![switch("isPasscodeRequired"), text("joinMeetingId"), text("passcode")],
        ),
        object(
            "audioConferencing",
            None,
            vec![
                text("conferenceId"),
                text("dialinUrl"),
                text("tollFreeNumber"),
                Member::new("tollFreeNumbers", texts.clone()),
                text("tollNumber"),
                Member::new("tollNumbers", texts),
            ],
        ),
        object("itemBody", None, vec![text("content"), named("contentType", "bodyType")]),
        Definition::Enumeration { name: "bodyType", members: vec!["text", "html"] },
        object(
            "meetingParticipants",
            None,
            vec![
                Member::new("attendees", attendees),
                Member::nullable("organizer", MeetingAttendee::shape()),
            ],
        ),
        MeetingAttendee::definition(),
        MeetingRole::definition(),
    ];
    definitions.extend(settings_definitions());
    definitions
}
