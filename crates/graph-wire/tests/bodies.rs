//! The bodies of answers and notifications.
//!
//! `tests/golden` holds them whole. `tests/documented` holds by hand what the documentation says of them at least, and
//! each is held against the served description besides.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "sample/conference.rs"]
mod conference;
#[path = "sample/meeting.rs"]
mod meeting;
#[path = "sample/meeting_bodies.rs"]
mod meeting_bodies;
#[path = "sample/moving.rs"]
mod moving;
mod sample;

use std::path::Path;
use std::sync::Arc;

use graph_wire::{
    Contained, Limits, ReadOptions, created_call, dominant_speaker, links, notifications, operation_list,
    read_call, read_operation, started_operation,
};
use model::{
    Call, CallId, CallState, ChangeType, MediaState, NotificationBody, Operation, OperationId, OperationKind,
    OperationStatus, Outcome, RecordCompletion, SendDtmfCompletion, Tone, ToneInfo,
};
use sample::{CALL, call, notification};
use serde_json::{Value, json};

const BASE: &str = "https://graph.microsoft.com/v1.0";
const OPERATION: &str = "0fe0623f-d628-42ed-b4bd-8ac290072cc5";
const CONTEXT: &str = "d45324c1-fcb5-430a-902c-f20af696537c";

fn established() -> Call {
    Call { state: CallState::Established, media_state: Some(MediaState::Active), ..call() }
}

fn operation(kind: OperationKind, status: OperationStatus, outcome: Option<Outcome>) -> Operation {
    Operation {
        id: OperationId::parse(OPERATION).unwrap(),
        kind,
        status,
        client_context: Some(CONTEXT.to_owned()),
        outcome,
    }
}

fn recording(completion: Option<RecordCompletion>, is_there: bool) -> OperationKind {
    let action = graph_wire::RecordResponse::decode(b"", &Limits::default()).unwrap();
    OperationKind::Record {
        params: action.params,
        completion,
        location: is_there.then(|| "https://file.location/17e3b46c-f61d-4f4d-9635-c626ef18e6ad".to_owned()),
        access_token: is_there.then(|| "secret".to_owned()),
    }
}

fn running_recording() -> Operation {
    operation(recording(None, false), OperationStatus::Running, None)
}

fn finished_prompt() -> Operation {
    let kind = OperationKind::PlayPrompt { prompts: Vec::new() };
    operation(kind, OperationStatus::Completed, Some(Outcome::ActionCompleted))
}

fn sent_tones() -> Operation {
    let kind = OperationKind::SendDtmfTones {
        tones: vec![Tone::Pound],
        delay_between_tones_ms: 100,
        completion: Some(SendDtmfCompletion::CompletedSuccessfully),
    };
    operation(kind, OperationStatus::Completed, Some(Outcome::ActionCompleted))
}

fn notified(change: ChangeType, body: NotificationBody) -> Value {
    notifications([&notification(change, body)])
}

fn call_notified(change: ChangeType, call: Call) -> Value {
    notified(change, NotificationBody::Call(Arc::new(call)))
}

fn operation_notified(operation: Operation) -> Value {
    notified(ChangeType::Deleted, NotificationBody::Operation(Box::new(operation)))
}

fn all_bodies() -> Vec<(&'static str, &'static str, Value)> {
    let everything = ReadOptions::default();
    let id = CallId::parse(CALL).unwrap();
    let cancelled = operation(
        recording(Some(RecordCompletion::OperationCanceled), false),
        OperationStatus::Failed,
        Some(Outcome::OperationCancelled),
    );
    let recorded = operation(
        recording(Some(RecordCompletion::MaxRecordDurationReached), true),
        OperationStatus::Completed,
        Some(Outcome::RecordedMaxDuration),
    );
    let completed = |kind| operation(kind, OperationStatus::Completed, Some(Outcome::ActionCompleted));
    let tone = ToneInfo { sequence_id: 1, tone: Tone::Digit(1) };
    let terminated =
        Call { state: CallState::Terminated, outcome: Some(Outcome::EndedByBot), ..established() };
    let two = [finished_prompt(), running_recording()];
    let mut bodies = vec![
        ("created-call", "call", created_call(BASE, &call())),
        ("read-call", "call", read_call(BASE, &established(), &Contained::default(), &everything)),
        ("running-recording", "recordOperation", started_operation(BASE, &running_recording())),
        ("sent-tones", "sendDtmfTonesOperation", read_operation(BASE, id, &sent_tones(), &everything)),
        (
            "subscribed",
            "subscribeToToneOperation",
            started_operation(BASE, &completed(OperationKind::SubscribeToTone)),
        ),
        (
            "cancelled",
            "cancelMediaProcessingOperation",
            started_operation(BASE, &completed(OperationKind::CancelMediaProcessing)),
        ),
        ("operations", "commsOperationCollectionResponse", operation_list(BASE, id, &two, &everything)),
        ("notified-establishing", "commsNotifications", call_notified(ChangeType::Updated, call())),
        ("notified-established", "commsNotifications", call_notified(ChangeType::Updated, established())),
        (
            "notified-tone",
            "commsNotifications",
            call_notified(ChangeType::Updated, Call { tone: Some(tone), ..established() }),
        ),
        ("notified-terminated", "commsNotifications", call_notified(ChangeType::Deleted, terminated)),
        ("notified-prompt", "commsNotifications", operation_notified(finished_prompt())),
        ("notified-recording", "commsNotifications", operation_notified(recorded)),
        ("notified-cancelled-recording", "commsNotifications", operation_notified(cancelled)),
    ];
    bodies.extend(conference::bodies());
    bodies.extend(meeting_bodies::bodies());
    bodies.extend(moving::bodies());
    bodies
}

#[test]
fn every_body_is_what_its_golden_file_says() {
    for (name, _, body) in all_bodies() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, format!("{body:#}\n")).unwrap();
        }
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(body, golden, "{name}; UPDATE_GOLDEN=1 writes the files anew");
    }
}

/// Whether everything that a documented body says is said, in objects as deep as they go.
fn says(body: &Value, documented: &Value) -> bool {
    match (body, documented) {
        (Value::Object(members), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| members.get(name).is_some_and(|member| says(member, expected))),
        (Value::Array(items), Value::Array(expected)) => {
            items.len() == expected.len()
                && items.iter().zip(expected).all(|(item, expected)| says(item, expected))
        }
        (body, documented) => body == documented,
    }
}

#[test]
fn every_documented_member_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documented");
    let bodies = all_bodies();
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let documented: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (_, _, body) = bodies.iter().find(|(body, _, _)| *body == name).unwrap();
        assert!(says(body, &documented), "{name}: {body:#}");
        checked += 1;
    }
    assert_eq!(checked, 39);
}

/// Checks a value against a schema of the served description: every member declared, every type as declared.
fn check(value: &Value, schema: &Value, document: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(value, document.pointer(&reference[1..]).unwrap(), document, place);
    }
    if value.is_null() {
        assert_eq!(schema["nullable"], true, "{place} is null");
        return;
    }
    if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
        return check(value, only, document, place);
    }
    if let Some([one, many]) = schema["oneOf"].as_array().map(Vec::as_slice) {
        return check(value, if value.is_array() { many } else { one }, document, place);
    }
    if let Some(names) = schema["enum"].as_array() {
        return assert!(names.contains(value), "{place} is {value}");
    }
    match value {
        Value::Array(items) => {
            assert_eq!(schema["type"], "array", "{place}");
            items.iter().for_each(|item| check(item, &schema["items"], document, &format!("{place}[]")));
        }
        Value::Object(members) => check_members(members, schema, document, place),
        Value::String(_) => assert_eq!(schema["type"], "string", "{place}"),
        Value::Bool(_) => assert_eq!(schema["type"], "boolean", "{place}"),
        Value::Number(_) => assert_eq!(schema["type"], "integer", "{place}"),
        Value::Null => {}
    }
}

fn check_members(members: &serde_json::Map<String, Value>, schema: &Value, document: &Value, place: &str) {
    let declared = match members.get("@odata.type") {
        Some(name) => &document["components"]["schemas"][name.as_str().unwrap().trim_start_matches('#')],
        None => schema,
    };
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
        let place = format!("{place}.{name}");
        let property =
            property(declared, name, document).unwrap_or_else(|| panic!("{place} is not declared"));
        check(value, &property, document, &place);
    }
}

/// A property of a type or of one that it derives from.
fn property(schema: &Value, name: &str, document: &Value) -> Option<Value> {
    if let Some(own) = schema["properties"].get(name) {
        return Some(own.clone());
    }
    let base = document.pointer(&schema["allOf"][0]["$ref"].as_str()?[1..])?;
    schema["allOf"][1]["properties"].get(name).cloned().or_else(|| property(base, name, document))
}

#[test]
fn every_member_of_every_body_is_described_with_its_type() {
    let document = graph_wire::openapi::document(BASE);
    for (name, type_name, body) in all_bodies() {
        let schema = json!({"$ref": format!("#/components/schemas/microsoft.graph.{type_name}")});
        check(&body, &schema, &document, name);
    }
}

#[test]
fn notifications_hold_no_nulls_and_say_their_types() {
    fn no_nulls(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Array(items) => items.iter().all(no_nulls),
            Value::Object(members) => members.contains_key("@odata.type") && members.values().all(no_nulls),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
    for (name, type_name, body) in all_bodies() {
        assert!(type_name != "commsNotifications" || no_nulls(&body), "{name}");
    }
}

#[test]
fn a_tone_is_told_once_and_not_again_with_the_end() {
    let tone = Some(ToneInfo { sequence_id: 1, tone: Tone::Pound });
    let ending = Call { state: CallState::Terminating, tone, ..established() };
    let body = call_notified(ChangeType::Updated, ending);
    assert_eq!(body["value"][0]["resourceData"]["toneInfo"], Value::Null);
}

#[test]
fn a_new_calls_notification_introduces_it() {
    let body = call_notified(ChangeType::Created, Call { is_tenant_shown: true, ..call() });
    let data = &body["value"][0]["resourceData"];
    assert_eq!(data["targets"][0]["identity"]["user"]["displayName"], "John");
    assert_eq!(data["tenantId"], "aa67bd4c-8475-432d-bd41-39f255720e0a");
}

#[test]
fn a_read_shows_what_is_selected_and_expanded() {
    let query = "$select=id,state&$expand=operations($select=status),participants($select=isMuted),\
                 audioRoutingGroups";
    let options = ReadOptions::from_query(query).unwrap();
    let contained = Contained {
        operations: vec![finished_prompt()],
        participants: conference::both(),
        ..Contained::default()
    };
    let participant =
        |is_muted: bool| json!({"@odata.type": "#microsoft.graph.participant", "isMuted": is_muted});
    assert_eq!(
        read_call(BASE, &established(), &contained, &options),
        json!({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#communications/calls(id,state)/$entity",
            "@odata.type": "#microsoft.graph.call",
            "id": CALL,
            "state": "established",
            "operations": [{"@odata.type": "#microsoft.graph.playPromptOperation", "status": "completed"}],
            "participants": [participant(true), participant(false)],
            "audioRoutingGroups": [],
        })
    );
}

#[test]
fn who_speaks_is_named_as_in_the_roster_or_is_null() {
    let john = conference::both().remove(0);
    let speaker = Some((john.id, john.media_streams[0].source_id));
    assert_eq!(
        dominant_speaker(speaker),
        json!({"participantId": "0d7664b6-6432-43ed-8d27-d9e7adec188c", "sourceId": "1"})
    );
    assert_eq!(dominant_speaker(None), json!({"participantId": null, "sourceId": null}));
}

#[test]
fn locations_are_absolute() {
    let (call, operation) = (CallId::parse(CALL).unwrap(), OperationId::parse(OPERATION).unwrap());
    assert_eq!(links::call(BASE, call), format!("{BASE}/communications/calls/{CALL}"));
    assert_eq!(
        links::operation(BASE, call, operation),
        format!("{BASE}/communications/calls/{CALL}/operations/{OPERATION}")
    );
}
