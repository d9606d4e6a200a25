//! `commsOperation` and its subtypes.

use model::{
    CallId, InvitationParticipant, Operation, OperationKind, OperationStatus, RecordCompletion, ResultInfo,
    SendDtmfCompletion,
};
use serde_json::{Map, Value};

use crate::ReadOptions;
use crate::wire::{Body, Definition, Member, Nulls, Shape, Wire, wire_enum};

// Lower case as in nearly every documented body; the metadata writes the first letter large.
wire_enum! {
    OperationStatus as "operationStatus" {
        OperationStatus::NotStarted = "notStarted",
        OperationStatus::Running = "running",
        OperationStatus::Completed = "completed",
        OperationStatus::Failed = "failed",
    }
}

wire_enum! {
    RecordCompletion as "recordCompletionReason" {
        RecordCompletion::OperationCanceled = "operationCanceled",
        RecordCompletion::StopToneDetected = "stopToneDetected",
        RecordCompletion::MaxRecordDurationReached = "maxRecordDurationReached",
        RecordCompletion::InitialSilenceTimeout = "initialSilenceTimeout",
        RecordCompletion::MaxSilenceTimeout = "maxSilenceTimeout",
        RecordCompletion::PlayPromptFailed = "playPromptFailed",
        RecordCompletion::PlayBeepFailed = "playBeepFailed",
        RecordCompletion::MediaReceiveTimeout = "mediaReceiveTimeout",
        RecordCompletion::UnspecifiedError = "unspecifiedError",
    }
}

wire_enum! {
    SendDtmfCompletion as "sendDtmfCompletionReason" {
        SendDtmfCompletion::Unknown = "unknown",
        SendDtmfCompletion::CompletedSuccessfully = "completedSuccessfully",
        SendDtmfCompletion::MediaOperationCanceled = "mediaOperationCanceled",
    }
}

/// The body that answers an action: the operation as it stands. Documented answers have a context only where someone is
/// muted or unmuted. `base` is scheme, host and version of the API.
pub fn started_operation(base: &str, operation: &Operation) -> Value {
    let mut value = whole(operation);
    if matches!(operation.kind, OperationKind::MuteParticipant | OperationKind::UnmuteParticipant) {
        value["@odata.context"] = format!("{base}/$metadata#{}", type_name(&operation.kind)).into();
    }
    value
}

fn whole(operation: &Operation) -> Value {
    operation_body(operation, Nulls::Show).into()
}

/// The body of the 200 that shows one operation. `base` is scheme, host and version of the API.
pub fn read_operation(base: &str, call: CallId, operation: &Operation, options: &ReadOptions) -> Value {
    let mut value = options.apply(whole(operation));
    let context = options.context();
    value["@odata.context"] =
        format!("{base}/$metadata#communications/calls('{call}')/operations{context}/$entity").into();
    value
}

/// The body of the 200 that lists a call's operations.
pub fn operation_list(base: &str, call: CallId, operations: &[Operation], options: &ReadOptions) -> Value {
    let context = options.context();
    let members = [
        (
            "@odata.context",
            Value::from(format!("{base}/$metadata#communications/calls('{call}')/operations{context}")),
        ),
        ("value", operation_list_items(operations, options)),
    ];
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

pub(crate) fn operation_list_items(operations: &[Operation], options: &ReadOptions) -> Value {
    operations.iter().map(|operation| options.apply(whole(operation))).collect()
}

/// An operation with what its kind adds.
pub(crate) fn operation_body(operation: &Operation, nulls: Nulls) -> Body {
    let mut body = Body::of(type_name(&operation.kind), nulls);
    body.set("id", operation.id.to_string());
    body.required("status", &operation.status);
    body.nullable("clientContext", &operation.client_context);
    body.nullable("resultInfo", &operation.outcome.map(model::Outcome::result_info));
    match &operation.kind {
        OperationKind::Record { completion, location, access_token, .. } => {
            body.nullable("completionReason", completion);
            // A recording that ended without a file says so with empty strings.
            let or_empty = |text: &Option<String>| {
                text.clone().or_else(|| operation.status.is_final().then(String::new))
            };
            body.nullable("recordingLocation", &or_empty(location));
            body.nullable("recordingAccessToken", &or_empty(access_token));
        }
        OperationKind::SendDtmfTones { completion, .. } => body.nullable("completionReason", completion),
        OperationKind::InviteParticipants { participants } => {
            body.set(
                "participants",
                participants.iter().map(|whom| invited(whom, nulls)).collect::<Vec<_>>(),
            );
        }
        OperationKind::AddLargeGalleryView
        | OperationKind::CancelMediaProcessing
        | OperationKind::MuteAll
        | OperationKind::MuteParticipant
        | OperationKind::PlayPrompt { .. }
        | OperationKind::StartHoldMusic
        | OperationKind::StopHoldMusic
        | OperationKind::SubscribeToTone
        | OperationKind::UnmuteParticipant
        | OperationKind::UpdateRecordingStatus { .. } => {}
    }
    body
}

/// Someone invited, with the nulls of the documented answer.
fn invited(whom: &InvitationParticipant, nulls: Nulls) -> Value {
    let mut invited = whom.write(nulls);
    if nulls == Nulls::Show {
        invited["id"] = Value::Null;
        for kind in INVITED_KINDS {
            let slot = &mut invited["identity"][kind];
            *slot = slot.take();
        }
    }
    invited
}

/// The kinds of identity that the documented answer to an invitation shows, with or without a value.
const INVITED_KINDS: &[&str] =
    &["application", "applicationInstance", "device", "encrypted", "guest", "onPremises", "phone", "user"];

const fn type_name(kind: &OperationKind) -> &'static str {
    match kind {
        OperationKind::AddLargeGalleryView => "addLargeGalleryViewOperation",
        OperationKind::CancelMediaProcessing => "cancelMediaProcessingOperation",
        OperationKind::InviteParticipants { .. } => "inviteParticipantsOperation",
        // The page of muteAll, which only beta has, names no type of its own.
        OperationKind::MuteAll => "commsOperation",
        OperationKind::MuteParticipant => "muteParticipantOperation",
        OperationKind::PlayPrompt { .. } => "playPromptOperation",
        OperationKind::Record { .. } => "recordOperation",
        OperationKind::SendDtmfTones { .. } => "sendDtmfTonesOperation",
        OperationKind::StartHoldMusic => "startHoldMusicOperation",
        OperationKind::StopHoldMusic => "stopHoldMusicOperation",
        OperationKind::SubscribeToTone => "subscribeToToneOperation",
        OperationKind::UnmuteParticipant => "unmuteParticipantOperation",
        OperationKind::UpdateRecordingStatus { .. } => "updateRecordingStatusOperation",
    }
}

/// The definitions of `commsOperation` and the subtypes that are served.
pub(crate) fn operation_definitions() -> Vec<Definition> {
    let derived = |name, members| Definition::Object { name, base: Some("commsOperation"), members };
    vec![
        Definition::Object {
            name: "commsOperation",
            base: Some("entity"),
            members: vec![
                Member::nullable("clientContext", Shape::Text),
                Member::nullable("resultInfo", ResultInfo::shape()),
                Member::new("status", OperationStatus::shape()),
            ],
        },
        derived("addLargeGalleryViewOperation", Vec::new()),
        derived("cancelMediaProcessingOperation", Vec::new()),
        derived(
            "inviteParticipantsOperation",
            vec![Member::new("participants", Vec::<InvitationParticipant>::shape())],
        ),
        derived("muteParticipantOperation", Vec::new()),
        derived("playPromptOperation", Vec::new()),
        derived(
            "recordOperation",
            vec![
                Member::nullable("completionReason", RecordCompletion::shape()),
                Member::nullable("recordingAccessToken", Shape::Text),
                Member::nullable("recordingLocation", Shape::Text),
            ],
        ),
        derived(
            "sendDtmfTonesOperation",
            vec![Member::nullable("completionReason", SendDtmfCompletion::shape())],
        ),
        derived("startHoldMusicOperation", Vec::new()),
        derived("stopHoldMusicOperation", Vec::new()),
        derived("subscribeToToneOperation", Vec::new()),
        derived("unmuteParticipantOperation", Vec::new()),
        derived("updateRecordingStatusOperation", Vec::new()),
    ]
}
