//! The documented examples of calls, run as their pages show them: status, body and notifications of each.
//!
//! A test is named for the row of its example in `docs/conformance.md`. Requests have the documented members with values of
//! the dev tenant; a member that is documented for an answer has to be there, others may be.

mod answer;
mod list;
mod media;
mod mute;
mod read_and_end;
mod redirect;
mod reject;
mod sharing;
mod transfer;

use serde_json::{Value, json};
use testkit::{App, Baresip, Phone, Received, Reply, User};

use crate::support::{Stage, assert_says, id_of};

/// What bots of the examples answer with: not the webhook's own address, so that it shows who believes what.
const CALLBACK: &str = "https://bot.contoso.com/api/calls";
/// The path of that.
const CALLBACK_PATH: &str = "/api/calls";

/// A phone of this test, by its number, that takes its calls by itself and says a tone.
async fn phone(stage: &Stage, number: u16, user: User, setup: Phone) -> Baresip {
    let setup = Phone { tone_hz: Some(420 + 310 * u32::from(number)), ..setup };
    Baresip::register(&stage.server, user, stage.server.peer_address(3 * number), setup).await
}

/// A group call of the bot with the scripted John and user1, in which both are.
async fn group_call(stage: &Stage) -> Value {
    let targets = [User::USER1, User::JOHN].map(target);
    let request = stage.request(User::JOHN).with("targets", json!(targets));
    let call = stage.bot.create(&request).await.expect(201).json();
    let id = id_of(&call);
    stage.webhook.expect_roster(&id, "a roster of three", |those| those.len() == 3).await;
    stage.webhook.expect_state(&id, "established").await;
    call
}

/// An `invitationParticipantInfo` of a user.
fn target(user: User) -> Value {
    json!({"@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": of_user(user)})
}

/// An `identitySet` of a user.
fn of_user(user: User) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.identitySet",
        "user": {"@odata.type": "#microsoft.graph.identity", "displayName": user.name, "id": user.id},
    })
}

/// An `identitySet` of an application.
fn of_app(app: App) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.identitySet",
        "application": {"@odata.type": "#microsoft.graph.identity", "displayName": app.name, "id": app.id},
    })
}

/// The documented notification of a call that comes in, and the id of that call.
#[track_caller]
fn assert_incoming(told: &Received, caller: User, app: App) -> String {
    let call = id_of(told.data());
    let documented = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "incoming",
        "direction": "incoming",
        "callbackUri": told.notification()["callbackUri"],
        "source": {"@odata.type": "#microsoft.graph.participantInfo", "identity": of_user(caller)},
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": of_app(app),
        }],
        "requestedModalities": ["audio"],
        "tenantId": App::CONTOSO,
    });
    assert_notified(told, "created", &format!("calls/{call}"), &documented);
    for member in ["callChainId", "myParticipantId"] {
        assert_eq!(told.data()[member].as_str().map(str::len), Some(36), "{member} is a GUID");
    }
    call
}

/// One POST holds one notification of a change of that place, and all that is documented of the resource.
#[track_caller]
fn assert_notified(told: &Received, change: &str, place: &str, documented: &Value) {
    let url = format!("/communications/{place}");
    let documented = json!({
        "@odata.type": "#microsoft.graph.commsNotifications",
        "value": [{
            "@odata.type": "#microsoft.graph.commsNotification",
            "changeType": change,
            "resource": format!("/app/{place}"),
            "resourceUrl": url,
            "resourceData": documented,
        }],
    });
    assert_says(&told.body, &documented, "$");
    if told.data().is_object() {
        assert_eq!(told.data()["@odata.id"], url, "{}", told.body);
    }
}

/// The same of a call that is in that state.
#[track_caller]
fn assert_state_told(told: &Received, change: &str, call: &str, state: &str) {
    let documented = json!({"@odata.type": "#microsoft.graph.call", "id": call, "state": state});
    assert_notified(told, change, &format!("calls/{call}"), &documented);
}

/// The changes of a call that were told so far, in order, each with the state; what is said twice in a row counts once.
fn changes(stage: &Stage, call: &str) -> Vec<(String, String)> {
    let told = stage.webhook.of_call(call);
    let of_call = told.iter().filter(|one| one.is_of_call());
    let mut changes: Vec<_> = of_call.map(|one| (one.change().to_owned(), one.state().to_owned())).collect();
    changes.dedup();
    changes
}

/// Asserts exactly these changes.
#[track_caller]
fn assert_changes(stage: &Stage, call: &str, expected: &[(&str, &str)]) {
    let changes = changes(stage, call);
    let changes: Vec<_> = changes.iter().map(|(change, state)| (change.as_str(), state.as_str())).collect();
    assert_eq!(changes, expected, "{}", stage.webhook.summary());
}

/// The answer shows an operation of that type and status with the client's context, and says where it is; returns its id.
#[track_caller]
fn assert_operation(stage: &Stage, call: &str, reply: &Reply, (type_name, status): (&str, &str)) -> String {
    let shown = reply.json();
    let id = id_of(&shown);
    let documented = json!({
        "@odata.type": format!("#microsoft.graph.{type_name}"),
        "status": status,
        "clientContext": CONTEXT,
    });
    assert_says(&shown, &documented, "$");
    let location = format!("{}/v1.0/communications/calls/{call}/operations/{id}", stage.server.base_url());
    assert_eq!(reply.header("location"), Some(location.as_str()));
    id
}

/// The end of an operation is told with the client's context and with all that is documented of it.
async fn assert_ended(stage: &Stage, call: &str, operation: &str, documented: &Value) -> Received {
    let end = stage.webhook.expect_operation(call, operation).await;
    assert_notified(&end, "deleted", &format!("calls/{call}/operations/{operation}"), documented);
    assert_eq!(end.data()["clientContext"], CONTEXT, "{}", end.body);
    end
}

/// A `resultInfo`.
fn result_info(code: i32, subcode: i32) -> Value {
    json!({"@odata.type": "#microsoft.graph.resultInfo", "code": code, "subcode": subcode})
}

/// What requests of these tests give as their `clientContext`.
const CONTEXT: &str = "6f0c3c0e-4bb1-4c8e-9a53-0a1f2f6a7d10";
