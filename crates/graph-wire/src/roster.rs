//! Who is in a call: `participant`, `deltaParticipants`, and what hangs on them.

use model::{
    CallId, IdentitySet, MediaDirection, MediaStream, MeetingRole, Modality, Participant, ParticipantId,
    RecordingInfo, RecordingStatus, Roster, RosterParticipant,
};
use serde_json::{Value, json};

use crate::ReadOptions;
use crate::wire::{Body, Definition, Member, Nulls, Shape, Wire, wire_enum};

wire_enum! {
    MediaDirection as "mediaDirection" {
        MediaDirection::Inactive = "inactive",
        MediaDirection::SendOnly = "sendOnly",
        MediaDirection::ReceiveOnly = "receiveOnly",
        MediaDirection::SendReceive = "sendReceive",
    }
}

wire_enum! {
    RecordingStatus as "recordingStatus" {
        RecordingStatus::Unknown = "unknown",
        RecordingStatus::NotRecording = "notRecording",
        RecordingStatus::Recording = "recording",
        RecordingStatus::Failed = "failed",
    }
}

/// The body of the 200 that lists a call's participants. `base` is scheme, host and version of the API.
pub fn participant_list(
    base: &str,
    call: CallId,
    participants: &[RosterParticipant],
    options: &ReadOptions,
) -> Value {
    let context = options.context();
    json!({
        "@odata.context": format!("{base}/$metadata#communications/calls('{call}')/participants{context}"),
        "value": participant_items(participants, options),
    })
}

pub(crate) fn participant_items(participants: &[RosterParticipant], options: &ReadOptions) -> Value {
    let shown = |participant| options.apply(participant_body(participant, Nulls::Show).into());
    participants.iter().map(shown).collect()
}

/// The body of the 200 that shows one participant. `base` is scheme, host and version of the API.
pub fn read_participant(
    base: &str,
    call: CallId,
    participant: &RosterParticipant,
    options: &ReadOptions,
) -> Value {
    let mut value = options.apply(participant_body(participant, Nulls::Show).into());
    let context = options.context();
    value["@odata.context"] =
        format!("{base}/$metadata#communications/calls('{call}')/participants{context}/$entity").into();
    value
}

/// The body of the 200 that says who speaks loudest: its participant and the number of its sound, or nulls.
pub fn dominant_speaker(speaker: Option<(ParticipantId, u32)>) -> Value {
    json!({
        "participantId": speaker.map(|(participant, _)| participant.to_string()),
        "sourceId": speaker.map(|(_, source)| source.to_string()),
    })
}

/// Everyone, as a notification has it.
pub(crate) fn roster_data(participants: &[RosterParticipant]) -> Value {
    participants.iter().map(|participant| Value::from(participant_body(participant, Nulls::Omit))).collect()
}

/// Whoever changed or left since the roster before.
pub(crate) fn delta_body(roster: &Roster) -> Body {
    let mut delta = Body::of("deltaParticipants", Nulls::Omit);
    delta.set("sequenceNumber", roster.sequence);
    delta.set("participants", roster_data(&roster.participants));
    delta
}

fn participant_body(participant: &RosterParticipant, nulls: Nulls) -> Body {
    let mut body = Body::of("participant", nulls);
    body.set("id", participant.id.to_string());
    body.required("info", &participant.info);
    body.required("isInLobby", &participant.is_in_lobby);
    body.required("isMuted", &participant.is_muted);
    body.set("mediaStreams", participant.media_streams.iter().map(media_stream).collect::<Vec<_>>());
    if let Some(role) = participant.role {
        body.set("meetingRole", role_name(role));
    }
    body.nullable("metadata", &participant.metadata);
    match &participant.recording {
        Some(recording) => body.set("recordingInfo", recording_info(recording, nulls)),
        None => body.null("recordingInfo"),
    }
    match &participant.removed {
        Some(reason) => {
            let mut removed = Body::of("removedState", nulls);
            removed.set("reason", reason.as_str());
            body.set("removedState", removed);
        }
        None => body.null("removedState"),
    }
    body.null("restrictedExperience");
    body.set("rosterSequenceNumber", participant.sequence);
    body
}

fn media_stream(stream: &MediaStream) -> Body {
    let mut body = Body::of("mediaStream", Nulls::Omit);
    body.required("mediaType", &stream.media_type);
    body.set("sourceId", stream.source_id.to_string());
    body.required("direction", &stream.direction);
    body.required("serverMuted", &stream.is_server_muted);
    body.optional("label", &stream.label);
    body
}

fn recording_info(recording: &RecordingInfo, nulls: Nulls) -> Body {
    let mut body = Body::of("recordingInfo", nulls);
    body.nullable("initiator", &recording.initiator);
    body.required("recordingStatus", &recording.status);
    body
}

/// The undeclared `meetingRole` of documented rosters: `onlineMeetingRole`, and the organizer.
const fn role_name(role: MeetingRole) -> &'static str {
    match role {
        MeetingRole::Attendee => "attendee",
        MeetingRole::Coorganizer => "coorganizer",
        MeetingRole::Organizer => "organizer",
        MeetingRole::Presenter => "presenter",
        MeetingRole::Producer => "producer",
    }
}

/// The definitions of everything that a roster is made of.
pub(crate) fn roster_definitions() -> Vec<Definition> {
    let list = |name| Shape::List(Box::new(Shape::Named(name)));
    let object = |name, base, members| Definition::Object { name, base, members };
    vec![
        object(
            "deltaParticipants",
            Some("entity"),
            vec![
                Member::new("participants", list("participant")),
                Member::nullable("sequenceNumber", Shape::Int64),
            ],
        ),
        object(
            "mediaStream",
            None,
            vec![
                Member::new("direction", MediaDirection::shape()),
                Member::nullable("label", Shape::Text),
                Member::new("mediaType", Modality::shape()),
                Member::new("serverMuted", Shape::Boolean),
                Member::new("sourceId", Shape::Text),
            ],
        ),
        object(
            "participant",
            Some("entity"),
            vec![
                Member::new("info", Participant::shape()),
                Member::new("isInLobby", Shape::Boolean),
                Member::new("isMuted", Shape::Boolean),
                Member::new("mediaStreams", list("mediaStream")),
                Member::nullable("meetingRole", Shape::Text),
                Member::nullable("metadata", Shape::Text),
                Member::nullable("recordingInfo", Shape::Named("recordingInfo")),
                Member::nullable("removedState", Shape::Named("removedState")),
                Member::nullable("restrictedExperience", Shape::Open("onlineMeetingRestricted")),
                Member::nullable("rosterSequenceNumber", Shape::Int64),
            ],
        ),
        object(
            "recordingInfo",
            None,
            vec![
                Member::nullable("initiator", IdentitySet::shape()),
                Member::new("recordingStatus", RecordingStatus::shape()),
            ],
        ),
        object("removedState", None, vec![Member::nullable("reason", Shape::Text)]),
    ]
}
