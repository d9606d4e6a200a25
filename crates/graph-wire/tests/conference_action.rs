//! What applications ask of a conference: the documented bodies, and bodies that are not right.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use graph_wire::{
    ChangeScreenSharingRole, InvalidRequest, Invite, Limits, MuteAll, PlainAction, RoutingGroup,
    StartHoldMusic, UpdateRecordingStatus,
};
use model::{AudioRoutingGroup, ParticipantId, Person, RecordingStatus, RoutingMode, ScreenSharingRole};
use proptest::prelude::*;
use serde_json::{Value, json};

const CONTEXT: &str = "f2fa86af-3c51-4bc2-8fc0-475452d9764f";
const BOT: &str = "632899f8-2ea1-4604-8413-27bd2892079f";
const JOHN: &str = "550fae72-d251-43ec-868c-373732c2704f";
const ANN: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn id(text: &str) -> ParticipantId {
    ParticipantId::parse(text).unwrap()
}

fn user(id: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "replacesCallId": null,
        "identity": {"@odata.type": "#microsoft.graph.identitySet", "user": {"id": id}},
    })
}

macro_rules! decoders {
    ($($name:ident: $action:ident),*) => {
        $( fn $name(body: &Value) -> Result<$action, InvalidRequest> {
            $action::decode(body.to_string().as_bytes(), &Limits::default())
        } )*
    };
}

decoders!(
    invite: Invite,
    hold: StartHoldMusic,
    mute_all: MuteAll,
    status: UpdateRecordingStatus,
    group: RoutingGroup
);

fn role(body: &Value) -> Result<ChangeScreenSharingRole, InvalidRequest> {
    ChangeScreenSharingRole::decode(body.to_string().as_bytes())
}

/// Holds each body against what is said of it.
fn are_refused<T: std::fmt::Debug>(decode: fn(&Value) -> Result<T, InvalidRequest>, cases: &[(Value, &str)]) {
    for (body, expected) in cases {
        assert_eq!(decode(body).unwrap_err().to_string(), *expected, "{body}");
    }
}

#[test]
fn a_documented_invitation_is_taken() {
    let body = json!({"participants": [user("278405a3"), user("f7fcf6db")], "clientContext": CONTEXT});
    let action = invite(&body).unwrap();
    assert_eq!(action.client_context.as_deref(), Some(CONTEXT));
    let callees: Vec<_> = action.participants.into_iter().map(|one| one.callee).collect();
    assert_eq!(callees, ["278405a3".into(), "f7fcf6db".into()]);
}

#[test]
fn an_invitation_keeps_the_call_that_it_replaces() {
    let mut whom = user("278405a3");
    whom["replacesCallId"] = json!("d7a3b999-17ac-4bca-9e77-e6a730d2ec2e");
    let invitees = invite(&json!({"participants": [whom]})).unwrap().participants;
    let replaced = invitees[0].target.replaces_call_id.as_deref();
    assert_eq!(replaced, Some("d7a3b999-17ac-4bca-9e77-e6a730d2ec2e"));
}

#[test]
fn a_phone_number_is_invited_like_a_person() {
    let phone = json!({"identity": {"phone": {"id": "+12345678901"}}});
    let action = invite(&json!({"participants": [user("u"), phone]})).unwrap();
    let callees: Vec<_> = action.participants.into_iter().map(|one| one.callee).collect();
    assert_eq!(callees, ["u".into(), Person::Phone("+12345678901".parse().unwrap())]);
}

#[test]
fn an_invitation_that_is_not_right_is_refused_by_its_place() {
    let whom = |identity: Value| json!({"participants": [user("u"), {"identity": identity}]});
    are_refused(
        invite,
        &[
            (json!({}), "participants: expected at least one item"),
            (json!({"participants": []}), "participants: expected at least one item"),
            (json!({"participants": user("u")}), "participants: expected an array"),
            (json!({"participants": vec![user("u"); 6]}), "participants: expected at most 5 items"),
            (json!({"participants": ["u"]}), "participants[0]: expected an object"),
            (
                json!({"participants": [{}]}),
                "participants[0].identity: expected a value: the member is required",
            ),
            (whom(json!({})), "participants[1].identity: expected either a user or a phone"),
            (
                whom(json!({"user": {"displayName": "John"}})),
                "participants[1].identity.user.id: expected an id",
            ),
            (
                whom(json!({"phone": {"id": "12345"}})),
                "participants[1].identity.phone.id: expected an E.164 number with the plus, as +12015550123",
            ),
            (
                json!({"participants": [user("u")], "clientContext": "x".repeat(257)}),
                "clientContext: expected at most 256 characters",
            ),
        ],
    );
}

#[test]
fn hold_music_is_a_prompt_or_the_servers_own() {
    let uri = "https://bot.contoso.com/onHold.wav";
    let prompt =
        |uri: &str| json!({"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": uri}});
    let action = hold(&json!({"customPrompt": prompt(uri), "clientContext": CONTEXT})).unwrap();
    assert_eq!(action.prompt.unwrap().media.uri, uri);
    assert_eq!(StartHoldMusic::decode(b"", &Limits::default()).unwrap().prompt, None);
    are_refused(
        hold,
        &[
            (json!({"customPrompt": "music"}), "customPrompt: expected an object"),
            (json!({"customPrompt": [prompt(uri)]}), "customPrompt: expected an object"),
            (json!({"customPrompt": {}}), "customPrompt.mediaInfo: expected a value: the member is required"),
            (
                json!({"customPrompt": prompt("http://bot.contoso.com/onHold.wav")}),
                "customPrompt.mediaInfo.uri: expected an absolute https URL",
            ),
        ],
    );
}

#[test]
fn everyone_is_muted_or_those_that_are_named_once() {
    assert_eq!(mute_all(&json!({"clientContext": CONTEXT})).unwrap().participants, []);
    let named = json!({"participants": [JOHN, ANN, JOHN.to_uppercase()]});
    assert_eq!(mute_all(&named).unwrap().participants, [id(JOHN), id(ANN)]);
    are_refused(
        mute_all,
        &[
            (json!({"participants": JOHN}), "participants: expected an array"),
            (json!({"participants": [JOHN, 7]}), "participants[1]: expected a string"),
            (json!({"participants": ["John"]}), "participants[0]: expected the id of a participant"),
            (json!({"participants": vec![JOHN; 1001]}), "participants: expected at most 1000 items"),
        ],
    );
}

#[test]
fn a_recording_status_is_one_that_can_be_reported() {
    let body = json!({"clientContext": CONTEXT, "status": "notRecording"});
    assert_eq!(status(&body).unwrap().status, RecordingStatus::NotRecording);
    assert_eq!(status(&json!({"status": "Recording"})).unwrap().status, RecordingStatus::Recording);
    are_refused(
        status,
        &[
            (json!({}), "status: expected a value: the member is required"),
            (json!({"status": "unknown"}), "status: expected one of notRecording, recording, failed"),
            (json!({"status": "paused"}), "status: expected one of unknown, notRecording, recording, failed"),
        ],
    );
}

#[test]
fn a_screen_is_shared_or_watched() {
    assert_eq!(role(&json!({"role": "viewer"})).unwrap().role, ScreenSharingRole::Viewer);
    assert_eq!(role(&json!({"role": "Sharer"})).unwrap().role, ScreenSharingRole::Sharer);
    are_refused(
        role,
        &[
            (json!({}), "role: expected a value: the member is required"),
            (json!({"role": "presenter"}), "role: expected one of viewer, sharer"),
            (json!([]), "$: expected an object"),
        ],
    );
}

#[test]
fn the_documented_routing_groups_are_taken() {
    let one = json!({"id": "oneToOne", "routingMode": "oneToOne", "sources": [BOT], "receivers": [JOHN]});
    let expected = AudioRoutingGroup {
        id: "oneToOne".to_owned(),
        mode: RoutingMode::OneToOne,
        sources: vec![id(BOT)],
        receivers: vec![id(JOHN)],
    };
    assert_eq!(group(&one).unwrap().into_new(), Ok(expected));
    let many = json!({"routingMode": "Multicast", "sources": [BOT], "receivers": [JOHN, ANN]});
    let many = group(&many).unwrap().into_new().unwrap();
    assert_eq!((many.id.as_str(), many.mode, many.receivers.len()), ("", RoutingMode::Multicast, 2));
}

#[test]
fn a_change_of_a_routing_group_leaves_what_it_does_not_name() {
    let known = AudioRoutingGroup {
        id: "multicast".to_owned(),
        mode: RoutingMode::Multicast,
        sources: vec![id(BOT)],
        receivers: vec![id(JOHN), id(ANN)],
    };
    let change = group(&json!({"id": "another", "receivers": [ANN]})).unwrap();
    let changed = change.applied_to(known.clone());
    assert_eq!(changed, AudioRoutingGroup { receivers: vec![id(ANN)], ..known.clone() });
    assert_eq!(group(&json!({})).unwrap().applied_to(known.clone()), known);
}

#[test]
fn a_routing_group_that_is_not_right_is_refused_by_its_place() {
    are_refused(
        group,
        &[
            (json!([]), "$: expected an object"),
            (
                json!({"@odata.type": "#microsoft.graph.call"}),
                "@odata.type: expected #microsoft.graph.audioRoutingGroup",
            ),
            (json!({"id": 1}), "id: expected a string"),
            (
                json!({"id": "x".repeat(129)}),
                "id: expected at most 128 characters, none of them a control character",
            ),
            (json!({"id": "a\nb"}), "id: expected at most 128 characters, none of them a control character"),
            (json!({"routingMode": "unicast"}), "routingMode: expected one of oneToOne, multicast"),
            (json!({"sources": BOT}), "sources: expected an array"),
            (json!({"sources": ["bot"]}), "sources[0]: expected the id of a participant"),
            (json!({"receivers": [JOHN, {}]}), "receivers[1]: expected a string"),
            (json!({"receivers": vec![JOHN; 1001]}), "receivers: expected at most 1000 items"),
        ],
    );
    let new = |body: &Value| group(body).unwrap().into_new();
    are_refused(
        new,
        &[
            (
                json!({"sources": [], "receivers": []}),
                "routingMode: expected a value: the member is required",
            ),
            (
                json!({"routingMode": "oneToOne", "receivers": []}),
                "sources: expected a value: the member is required",
            ),
            (
                json!({"routingMode": "oneToOne", "sources": [BOT], "receivers": null}),
                "receivers: expected a value: the member is required",
            ),
        ],
    );
}

#[test]
fn a_plain_action_reads_its_context_and_takes_no_body_for_none() {
    let read = |body: &str| PlainAction::decode(body.as_bytes(), &Limits::default());
    assert_eq!(read("").unwrap().client_context, None);
    assert_eq!(read(r#"{"clientContext": "mine",}"#).unwrap().client_context.as_deref(), Some("mine"));
    assert!(read("{").unwrap_err().to_string().starts_with("malformed JSON at line 1"));
}

proptest! {
    #[test]
    fn no_body_makes_one_of_them_panic(
        name in prop::sample::select(vec!["participants", "sources", "receivers", "id", "role", "status", "customPrompt"]),
        value in "[\\[\\]{}\",:a-z0-9#. -]{0,30}",
    ) {
        let body = format!("{{\"{name}\": {value}}}");
        let limits = Limits::default();
        prop_assert!(Invite::decode(body.as_bytes(), &limits).is_err(), "nobody is named so");
        if let Ok(change) = RoutingGroup::decode(body.as_bytes(), &limits) {
            prop_assert!(change.into_new().is_err(), "a member is missing");
        }
        let _ = MuteAll::decode(body.as_bytes(), &limits);
        let _ = StartHoldMusic::decode(body.as_bytes(), &limits);
        let _ = UpdateRecordingStatus::decode(body.as_bytes(), &limits);
        let _ = ChangeScreenSharingRole::decode(body.as_bytes());
    }
}
