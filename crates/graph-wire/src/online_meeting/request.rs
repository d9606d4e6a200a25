//! What requests say of a meeting.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    AllowedPresenters, ChatInfo, IdentitySet, LobbyBypass, LobbyBypassScope, MeetingAttendee, MeetingId,
    MeetingRole, OnlineMeeting, TenantId, Timestamp, UserId,
};
use serde_json::Value;

use super::options::MeetingSettings;
use crate::invalid_request::Path;
use crate::limits::{MAX_EXTERNAL_ID_CHARS, MAX_SUBJECT_CHARS};
use crate::wire::{Body, Defined, Definition, Fields, Member, Nulls, Shape, Wire, one_of};
use crate::{GraphError, InvalidRequest, Limits, json};

/// `onlineMeetingRole` has no organizer, who is a presenter there.
impl Wire for MeetingRole {
    fn shape() -> Shape {
        Shape::Named(ROLE)
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let text = value.as_str().unwrap_or_default();
        let found = ROLES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, role)| *role).ok_or_else(|| at.expected(one_of(&ROLES.map(|(name, _)| name))))
    }

    fn write(&self, _: Nulls) -> Value {
        let name = ROLES.iter().find(|(_, role)| role == self).map(|(name, _)| *name);
        name.unwrap_or("presenter").into()
    }
}

const ROLE: &str = "onlineMeetingRole";
const ROLES: [(&str, MeetingRole); 4] = [
    ("attendee", MeetingRole::Attendee),
    ("presenter", MeetingRole::Presenter),
    ("producer", MeetingRole::Producer),
    ("coorganizer", MeetingRole::Coorganizer),
];

impl Defined for MeetingRole {
    fn definition() -> Definition {
        Definition::Enumeration { name: ROLE, members: ROLES.map(|(name, _)| name).to_vec() }
    }
}

/// What a request to make a meeting asks for: `POST …/onlineMeetings` or `createOrGet`, found valid.
///
/// Read-only members and undeclared ones are ignored; so is `chatInfo`, as every meeting has a chat of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMeeting {
    /// The client's own key; always there for `createOrGet`.
    pub external_id: Option<String>,
    /// Who calls the meeting, where the body names somebody.
    pub organizer: Option<UserId>,
    /// Who is invited.
    pub attendees: Vec<MeetingAttendee>,
    subject: Option<String>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    is_passcode_required: bool,
    settings: MeetingSettings,
}

/// What is made up for a new meeting, and who it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingIds {
    /// Its id.
    pub id: MeetingId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who calls it.
    pub organizer: UserId,
    /// The name of whoever calls it.
    pub organizer_name: Option<String>,
    /// The thread of its chat.
    pub thread_id: String,
    /// The digits that join it.
    pub join_meeting_id: String,
    /// The passcode, if it is to have one.
    pub passcode: String,
    /// The number for video systems.
    pub video_teleconference_id: Option<String>,
}

/// How long a meeting lasts whose end is not given (documentation of `createOrGet`).
const USUAL_LENGTH: Duration = Duration::from_secs(3600);

impl CreateMeeting {
    /// Reads the body of `POST …/onlineMeetings`.
    ///
    /// # Errors
    ///
    /// 400 with the place of the first thing that is wrong; 501 for live events and end-to-end encryption.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, GraphError> {
        let value = json::parse(body)?;
        let root = Fields::of(&value, &Path::Root, &["onlineMeeting"])?;
        refuse_what_is_not_served(&root)?;
        let is_passcode_required = match JoinMeetingIdSettings::of(&root)? {
            Some(JoinMeetingIdSettings { passcode: Some(_), .. }) => {
                let refused = "no value: passcodes are generated";
                return Err(root.expected("joinMeetingIdSettings.passcode", refused).into());
            }
            Some(settings) => settings.is_passcode_required.unwrap_or(false),
            None => false,
        };
        Ok(Self {
            external_id: read_external_id(&root)?,
            is_passcode_required,
            settings: MeetingSettings::read(&root)?,
            ..Self::read_common(&root, limits)?
        })
    }

    /// Reads the parameters of `createOrGet`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the place of the first thing that is wrong.
    pub fn decode_create_or_get(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
        let value = json::parse(body)?;
        let root = Fields::any(&value, &Path::Root)?;
        let external_id = read_external_id(&root)?;
        if external_id.is_none() {
            return Err(root.expected("externalId", "a value: the member is required"));
        }
        Ok(Self { external_id, ..Self::read_common(&root, limits)? })
    }

    fn read_common(root: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        root.optional::<ChatInfoAsSent>("chatInfo")?;
        let (starts_at, ends_at) = (read_moment(root, START)?, read_moment(root, END)?);
        match (starts_at, ends_at) {
            (None, Some(_)) => return Err(root.expected(START, "a value beside endDateTime")),
            (Some(start), Some(end)) if end < start => {
                return Err(root.expected(END, "a time that is not before startDateTime"));
            }
            _ => {}
        }
        let participants = Participants::read(root, limits)?;
        Ok(Self {
            external_id: None,
            organizer: participants.organizer,
            attendees: participants.attendees.unwrap_or_default(),
            subject: read_subject(root)?,
            starts_at,
            ends_at,
            is_passcode_required: false,
            settings: MeetingSettings::default(),
        })
    }

    /// The parameters of `createOrGet`, for the description.
    pub(crate) fn create_or_get_parameters() -> Vec<Member> {
        vec![
            Member::nullable("chatInfo", ChatInfo::shape()),
            Member::nullable(END, Shape::Moment),
            Member::new("externalId", Shape::Text),
            Member::nullable("participants", Shape::Named("meetingParticipants")),
            Member::nullable(START, Shape::Moment),
            Member::nullable("subject", Shape::Text),
        ]
    }

    /// The meeting, made at `now`.
    pub fn into_meeting(self, ids: MeetingIds, now: Timestamp) -> OnlineMeeting {
        let starts_at = self.starts_at.unwrap_or(now);
        let mut meeting = OnlineMeeting {
            id: ids.id,
            tenant: ids.tenant,
            organizer: ids.organizer,
            organizer_name: ids.organizer_name,
            thread_id: ids.thread_id,
            external_id: self.external_id,
            subject: self.subject,
            created_at: now,
            starts_at,
            ends_at: self.ends_at.unwrap_or_else(|| starts_at.after(USUAL_LENGTH)),
            attendees: self.attendees,
            join_meeting_id: ids.join_meeting_id,
            passcode: self.is_passcode_required.then_some(ids.passcode),
            video_teleconference_id: ids.video_teleconference_id,
            lobby_bypass: LobbyBypass {
                scope: LobbyBypassScope::Organization,
                is_dial_in_bypass_enabled: false,
            },
            is_admitting_left_to_organizers: false,
            allowed_presenters: AllowedPresenters::Everyone,
            is_entry_exit_announced: true,
            is_locked: false,
            consents: BTreeMap::new(),
            options: BTreeMap::new(),
            is_from_file: false,
            revision: 0,
        };
        self.settings.apply(&mut meeting);
        meeting
    }
}

/// What a `PATCH` of a meeting changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMeeting {
    /// The whole list of who is invited, where it changes.
    pub attendees: Option<Vec<MeetingAttendee>>,
    organizer: Option<UserId>,
    subject: Option<String>,
    times: Option<(Timestamp, Timestamp)>,
    join_settings: Option<JoinMeetingIdSettings>,
    settings: MeetingSettings,
}

impl UpdateMeeting {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// 400 with the place of the first thing that is wrong; 501 for live events and end-to-end encryption.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, GraphError> {
        let value = json::parse(body)?;
        let root = Fields::of(&value, &Path::Root, &["onlineMeeting"])?;
        refuse_what_is_not_served(&root)?;
        let times = match (read_moment(&root, START)?, read_moment(&root, END)?) {
            (Some(start), Some(end)) if end < start => {
                return Err(root.expected(END, "a time that is not before startDateTime").into());
            }
            (Some(start), Some(end)) => Some((start, end)),
            (None, None) => None,
            (Some(_), None) => return Err(root.expected(END, "a value beside startDateTime").into()),
            (None, Some(_)) => return Err(root.expected(START, "a value beside endDateTime").into()),
        };
        let Participants { organizer, attendees } = Participants::read(&root, limits)?;
        Ok(Self {
            attendees,
            organizer,
            subject: read_subject(&root)?,
            times,
            join_settings: JoinMeetingIdSettings::of(&root)?,
            settings: MeetingSettings::read(&root)?,
        })
    }

    /// The meeting as it becomes. What a client read and sends back unchanged is no change.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] where something would change that cannot.
    pub fn apply(self, meeting: &OnlineMeeting) -> Result<OnlineMeeting, InvalidRequest> {
        let fixed = |name: &str| Path::Member(&Path::Root, name).expected(CANNOT_CHANGE);
        if self.organizer.is_some_and(|named| !is_same_id(named.as_str(), meeting.organizer.as_str())) {
            return Err(fixed("participants.organizer"));
        }
        if self.join_settings.is_some_and(|wanted| !wanted.fits(meeting)) {
            return Err(fixed("joinMeetingIdSettings"));
        }
        if let Some(name) = self.settings.fixed_option_that_differs(meeting) {
            return Err(fixed(name));
        }
        let mut changed = meeting.clone();
        changed.subject = self.subject.or(changed.subject);
        (changed.starts_at, changed.ends_at) = self.times.unwrap_or((changed.starts_at, changed.ends_at));
        changed.attendees = self.attendees.unwrap_or(changed.attendees);
        self.settings.apply(&mut changed);
        Ok(changed)
    }
}

const START: &str = "startDateTime";
const END: &str = "endDateTime";
const CANNOT_CHANGE: &str = "no change: it is fixed when the meeting is made";

pub(crate) fn is_same_id(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Live events and end-to-end encryption are known to the API. Making an ordinary meeting instead would be a promise
/// that is not kept.
fn refuse_what_is_not_served(root: &Fields<'_>) -> Result<(), GraphError> {
    if root.optional("isBroadcast")? == Some(true) {
        return Err(GraphError::not_implemented("Not implemented: live events are not served."));
    }
    if root.optional("isEndToEndEncryptionEnabled")? == Some(true) {
        let message = "Not implemented: meetings with end-to-end encryption are not served.";
        return Err(GraphError::not_implemented(message));
    }
    Ok(())
}

fn read_subject(root: &Fields<'_>) -> Result<Option<String>, InvalidRequest> {
    read_short(root, "subject", MAX_SUBJECT_CHARS)
}

fn read_external_id(root: &Fields<'_>) -> Result<Option<String>, InvalidRequest> {
    let id = read_short(root, "externalId", MAX_EXTERNAL_ID_CHARS)?;
    match id {
        Some(id) if id.is_empty() => Err(root.expected("externalId", "at least 1 character")),
        id => Ok(id),
    }
}

fn read_short(root: &Fields<'_>, name: &str, most: usize) -> Result<Option<String>, InvalidRequest> {
    let text: Option<String> = root.optional(name)?;
    match text {
        Some(text) if text.chars().count() > most => {
            Err(root.expected(name, format!("at most {most} characters")))
        }
        text => Ok(text),
    }
}

/// 1970-01-01 and 3000-01-01 in UTC: what a meeting's times may lie between. Arbitrary.
const EARLIEST: Timestamp = Timestamp::from_millis(0);
const LATEST: Timestamp = Timestamp::from_millis(32_503_680_000_000);

fn read_moment(root: &Fields<'_>, name: &str) -> Result<Option<Timestamp>, InvalidRequest> {
    let moment: Option<Timestamp> = root.optional(name)?;
    match moment {
        Some(moment) if !(EARLIEST..LATEST).contains(&moment) => {
            Err(root.expected(name, "a time between the years 1970 and 2999"))
        }
        moment => Ok(moment),
    }
}

/// `participants` of a request.
struct Participants {
    organizer: Option<UserId>,
    /// `None` where the list is left out.
    attendees: Option<Vec<MeetingAttendee>>,
}

impl Participants {
    fn read(root: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let Some(value) = root.value("participants") else {
            return Ok(Self { organizer: None, attendees: None });
        };
        let at = Path::Member(root.at(), "participants");
        let participants = Fields::of(value, &at, &["meetingParticipants"])?;
        let organizer: Option<MeetingAttendee> = participants.optional("organizer")?;
        let organizer = organizer.and_then(|organizer| organizer.identity.user?.id);
        let is_given = participants.value("attendees").is_some();
        let attendees: Vec<MeetingAttendee> = participants.list("attendees", limits.attendees)?;
        let list = Path::Member(&at, "attendees");
        for (index, attendee) in attendees.iter().enumerate() {
            check_attendee(attendee, &Path::Item(&list, index))?;
        }
        Ok(Self { organizer: organizer.map(UserId::new), attendees: is_given.then_some(attendees) })
    }
}

/// Refuses somebody who is not named at all.
fn check_attendee(attendee: &MeetingAttendee, at: &Path<'_>) -> Result<(), InvalidRequest> {
    let is_named = attendee.upn.is_some() || attendee.identity != IdentitySet::default();
    if is_named { Ok(()) } else { Err(at.expected("an identity or a upn")) }
}

impl Wire for MeetingAttendee {
    fn shape() -> Shape {
        Shape::Named(PARTICIPANT_INFO)
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let fields = Fields::of(value, at, &[PARTICIPANT_INFO])?;
        Ok(Self {
            identity: fields.optional("identity")?.unwrap_or_default(),
            role: fields.optional("role")?.unwrap_or(MeetingRole::Attendee),
            upn: fields.optional("upn")?,
        })
    }

    fn write(&self, nulls: Nulls) -> Value {
        let mut body = Body::of(PARTICIPANT_INFO, nulls);
        body.required("identity", &self.identity);
        body.required("role", &self.role);
        body.nullable("upn", &self.upn);
        body.into()
    }
}

const PARTICIPANT_INFO: &str = "meetingParticipantInfo";

impl Defined for MeetingAttendee {
    fn definition() -> Definition {
        let members = vec![
            Member::nullable("identity", IdentitySet::shape()),
            Member::nullable("role", MeetingRole::shape()),
            Member::nullable("upn", Shape::Text),
        ];
        Definition::Object { name: PARTICIPANT_INFO, base: None, members }
    }
}

/// `joinMeetingIdSettings` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct JoinMeetingIdSettings {
    is_passcode_required: Option<bool>,
    join_meeting_id: Option<String>,
    passcode: Option<String>,
}

impl JoinMeetingIdSettings {
    fn of(root: &Fields<'_>) -> Result<Option<Self>, InvalidRequest> {
        let name = "joinMeetingIdSettings";
        let Some(value) = root.value(name) else { return Ok(None) };
        let settings = Fields::of(value, &Path::Member(root.at(), name), &[name]).and_then(|fields| {
            Ok(Self {
                is_passcode_required: fields.optional("isPasscodeRequired")?,
                join_meeting_id: fields.optional("joinMeetingId")?,
                passcode: fields.optional("passcode")?,
            })
        });
        settings.map(Some)
    }

    /// Whether they are those that the meeting has, as far as they say anything.
    fn fits(&self, meeting: &OnlineMeeting) -> bool {
        self.is_passcode_required.is_none_or(|required| required == meeting.passcode.is_some())
            && self.join_meeting_id.as_ref().is_none_or(|id| *id == meeting.join_meeting_id)
            && self.passcode.as_ref().is_none_or(|passcode| Some(passcode) == meeting.passcode.as_ref())
    }
}

/// `chatInfo` of a request, of which only the types are looked at: a thread need not be named.
struct ChatInfoAsSent;

impl Wire for ChatInfoAsSent {
    fn shape() -> Shape {
        ChatInfo::shape()
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let chat = Fields::of(value, at, &["chatInfo"])?;
        for name in ["threadId", "messageId", "replyChainMessageId"] {
            chat.optional::<String>(name)?;
        }
        Ok(Self)
    }

    fn write(&self, _: Nulls) -> Value {
        Value::Null
    }
}
