//! Holds the decoders against the served description: a member that it declares is refused where its type is wrong, so
//! none is declared that nobody reads.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use graph_wire::{
    AnswerCall, CancelMediaProcessing, ChangeScreenSharingRole, CreateCall, InvalidRequest, Invite, Limits,
    MuteAll, PlainAction, PlayPrompt, RecordResponse, RedirectCall, RejectCall, RoutingGroup, SendDtmfTones,
    StartHoldMusic, SubscribeToTone, TransferCall, UpdateRecordingStatus,
};
use serde_json::{Value, json};

/// Members of `call` that only the server writes; requests may hold anything there.
const READ_ONLY: &[&str] = &[
    "activeModalities",
    "answeredBy",
    "audioRoutingGroups",
    "callRoutes",
    "contentSharingSessions",
    "incomingContext",
    "mediaState",
    "meetingCapability",
    "myParticipantId",
    "operations",
    "participants",
    "resultInfo",
    "ringingTimeoutInSeconds",
    "routingPolicies",
    "state",
    "terminationReason",
    "toneInfo",
    "transcription",
];

fn schema(document: &Value, name: &str) -> Value {
    document["components"]["schemas"][format!("microsoft.graph.{name}")].clone()
}

fn names(properties: &Value) -> Vec<String> {
    let names = properties.as_object().unwrap().keys();
    names.filter(|name| !name.starts_with('@')).cloned().collect()
}

/// A value that no declared type takes: every list holds something, and every object has members.
fn wrong() -> [Value; 2] {
    [json!(1.5), json!([[1.5]])]
}

#[test]
fn every_declared_member_of_a_call_is_read_unless_the_server_writes_it() {
    let document = graph_wire::openapi::document("https://graph.example/v1.0");
    let call = &schema(&document, "call")["allOf"][1]["properties"];
    for name in names(call) {
        let base: &[u8] = match name.as_str() {
            "chatInfo" | "meetingInfo" => include_bytes!("requests/05-join-by-coordinates.json"),
            _ => include_bytes!("requests/01-peer-to-peer.json"),
        };
        for value in wrong() {
            let mut body = graph_wire::json::parse(base).unwrap();
            body[&name] = value;
            let decoded = CreateCall::decode(body.to_string().as_bytes(), &Limits::default());
            match decoded {
                Ok(_) => assert!(READ_ONLY.contains(&name.as_str()), "{name} is declared and not read"),
                Err(error) => assert!(error.to_string().starts_with(&name), "{name}: {error}"),
            }
        }
    }
}

#[test]
fn every_declared_parameter_of_an_action_is_read() {
    type Decode = fn(&[u8]) -> Result<(), InvalidRequest>;
    macro_rules! reads {
        ($action:ident) => {
            |body| $action::decode(body, &Limits::default()).map(drop)
        };
    }
    let prompt = json!({"mediaInfo": {"uri": "https://cdn.contoso.com/beep.wav"}});
    let people = json!([{"identity": {"user": {"id": "u"}}}]);
    let with_participant = "participants/{participant-id}/startHoldMusic";
    let target = json!({"identity": {"user": {"id": "u"}}});
    let actions: [(&str, Value, Decode); 19] = [
        ("answer", json!({"mediaConfig": {"blob": "b"}}), reads!(AnswerCall)),
        ("reject", json!({}), reads!(RejectCall)),
        ("redirect", json!({"targets": people}), reads!(RedirectCall)),
        ("transfer", json!({"transferTarget": target}), reads!(TransferCall)),
        ("playPrompt", json!({"prompts": [prompt]}), reads!(PlayPrompt)),
        ("recordResponse", json!({}), reads!(RecordResponse)),
        ("subscribeToTone", json!({}), reads!(SubscribeToTone)),
        ("cancelMediaProcessing", json!({}), reads!(CancelMediaProcessing)),
        ("sendDtmfTones", json!({"tones": ["a"]}), reads!(SendDtmfTones)),
        ("mute", json!({}), reads!(PlainAction)),
        ("unmute", json!({}), reads!(PlainAction)),
        ("addLargeGalleryView", json!({}), reads!(PlainAction)),
        ("participants/{participant-id}/mute", json!({}), reads!(PlainAction)),
        ("participants/{participant-id}/stopHoldMusic", json!({}), reads!(PlainAction)),
        (with_participant, json!({"customPrompt": prompt}), reads!(StartHoldMusic)),
        ("participants/invite", json!({"participants": people}), reads!(Invite)),
        ("participants/muteAll", json!({}), reads!(MuteAll)),
        ("updateRecordingStatus", json!({"status": "recording"}), reads!(UpdateRecordingStatus)),
        ("changeScreenSharingRole", json!({"role": "viewer"}), |body| {
            ChangeScreenSharingRole::decode(body).map(drop)
        }),
    ];
    let document = graph_wire::openapi::document("https://graph.example/v1.0");
    for (action, valid, decode) in actions {
        let path = format!("/communications/calls/{{call-id}}/{action}");
        let request = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(decode(valid.to_string().as_bytes()), Ok(()), "{action}");
        for name in names(&request["schema"]["properties"]) {
            for value in wrong() {
                let mut body = valid.clone();
                body[&name] = value;
                let error = decode(body.to_string().as_bytes()).unwrap_err().to_string();
                assert!(error.starts_with(&name), "{action}.{name}: {error}");
            }
        }
    }
}

#[test]
fn every_declared_member_of_a_routing_group_is_read() {
    let document = graph_wire::openapi::document("https://graph.example/v1.0");
    let group = &schema(&document, "audioRoutingGroup")["allOf"][1]["properties"];
    for name in names(group).into_iter().chain(["id".to_owned()]) {
        for value in wrong() {
            let body = json!({name.as_str(): value}).to_string();
            let error = RoutingGroup::decode(body.as_bytes(), &Limits::default()).unwrap_err().to_string();
            assert!(error.starts_with(&name), "{name}: {error}");
        }
    }
}

#[test]
fn every_declared_member_within_a_call_is_read() {
    let document = graph_wire::openapi::document("https://graph.example/v1.0");
    let within = [
        ("participantInfo", "/source"),
        ("invitationParticipantInfo", "/targets/0"),
        ("identitySet", "/targets/0/identity"),
        ("identity", "/targets/0/identity/user"),
        ("callOptions", "/callOptions"),
    ];
    for (type_name, pointer) in within {
        for name in names(&schema(&document, type_name)["properties"]) {
            // Only the server writes the one, and only a transfer reads the other.
            let elsewhere = [("invitationParticipantInfo", "id"), ("participantInfo", "participantId")];
            if elsewhere.contains(&(type_name, name.as_str())) {
                continue;
            }
            let mut body = graph_wire::json::parse(include_bytes!("requests/01-peer-to-peer.json")).unwrap();
            body["source"] = json!({"identity": {}});
            body.pointer_mut(pointer).unwrap()[&name] = json!(1.5);
            let error = CreateCall::decode(body.to_string().as_bytes(), &Limits::default()).unwrap_err();
            assert!(error.to_string().contains(&format!("{name}: expected")), "{pointer}/{name}: {error}");
        }
    }
}
