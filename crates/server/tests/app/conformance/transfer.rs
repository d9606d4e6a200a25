//! Handing the other party of a call over: the page `call-transfer`.

use serde_json::{Value, json};
use testkit::{App, Baresip, Phone, User};

use super::{
    CONTEXT, assert_changes, assert_notified, assert_state_told, of_user, phone, result_info, target,
};
use crate::support::Stage;

/// What is told of a call whose other party is handed over.
const TRANSFERRED: [(&str, &str); 5] = [
    ("updated", "establishing"),
    ("updated", "established"),
    ("updated", "transferring"),
    ("updated", "transferAccepted"),
    ("deleted", "terminated"),
];
/// What is told where that fails.
const NOT_TRANSFERRED: [(&str, &str); 4] = [
    ("updated", "establishing"),
    ("updated", "established"),
    ("updated", "transferring"),
    ("updated", "established"),
];

/// Phones that answer by themselves, of John and these.
async fn phones<const N: usize>(stage: &Stage, others: [User; N]) -> Vec<Baresip> {
    let mut phones = Vec::new();
    for (number, user) in (0..).zip([User::JOHN].into_iter().chain(others)) {
        phones.push(phone(stage, number, user, Phone::AUTOMATIC).await);
    }
    phones
}

/// A `transferTarget` with all members of the documented ones.
fn transfer_target(user: User) -> Value {
    let mut target = target(user);
    target["endpointType"] = json!("default");
    target["languageId"] = json!("en-us");
    target["region"] = json!("emea");
    target
}

/// The number of the phone network that the examples transfer to.
fn number() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "phone": {"@odata.type": "#microsoft.graph.identity", "id": "+15550123"},
        },
        "languageId": "en-us",
        "region": "amer",
    })
}

async fn transfer(stage: &Stage, call: &str, target: &Value) {
    let body = json!({"transferTarget": target, "clientContext": CONTEXT});
    let reply = stage.bot.act(call, "transfer", &body).await.expect(202);
    assert!(reply.body.is_empty(), "{reply}");
}

/// The transfer is told as it goes, and as the end of the call.
async fn assert_transferred(stage: &Stage, call: &str) {
    let end = stage.webhook.expect_end(call).await;
    for state in ["transferring", "transferAccepted"] {
        let told = stage.webhook.expect_state(call, state).await;
        assert_state_told(&told, "updated", call, state);
    }
    let mut result = result_info(0, 7015);
    result["message"] = json!("GracefulTransferCompleted");
    let documented = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "terminated",
        "resultInfo": result,
        "terminationReason": "AppTransferred",
    });
    assert_notified(&end, "deleted", &format!("calls/{call}"), &documented);
    assert_changes(stage, call, &TRANSFERRED);
}

/// The call is told as established once more, with the reason, and goes on.
async fn assert_not_transferred(stage: &Stage, call: &str, subcode: i32) {
    let is_it = |told: &testkit::Received| told.is_of_call() && told.result().is_some();
    let told = stage.webhook.expect(call, "the failure", is_it).await;
    let documented = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "established",
        "resultInfo": result_info(500, subcode),
    });
    assert_notified(&told, "updated", &format!("calls/{call}"), &documented);
    assert_changes(stage, call, &NOT_TRANSFERRED);
    assert_eq!(stage.bot.show(call).await.expect(200).json()["state"], "established");
    stage.end(call).await;
}

#[tokio::test]
async fn row_24_a_callee_is_transferred_to_somebody_else() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [User::USER1]).await;
    let call = stage.established(User::JOHN).await;

    transfer(&stage, &call, &transfer_target(User::USER1)).await;

    assert_transferred(&stage, &call).await;
    phones[1].expect("CALL_ESTABLISHED").await;
    phones[0].command("hangup", "").await;
    phones[1].expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_24_a_transfer_fails_where_the_target_declines() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, []).await;
    let mut target = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;

    transfer(&stage, &call, &transfer_target(User::USER1)).await;
    target.expect("CALL_INCOMING").await;
    target.command("hangup", "").await;

    assert_not_transferred(&stage, &call, 7000).await;
    phones[0].expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_25_a_callee_is_transferred_to_the_other_party_of_another_call() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [User::USER1]).await;
    let call = stage.established(User::JOHN).await;
    let consulted = stage.established(User::USER1).await;

    let mut target = transfer_target(User::USER1);
    target["replacesCallId"] = json!(consulted);
    transfer(&stage, &call, &target).await;

    assert_transferred(&stage, &call).await;
    assert_eq!(stage.result_of(&consulted).await, (200, 5003));
    phones[0].command("hangup", "").await;
    phones[1].expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_25_a_consultative_transfer_fails_where_the_call_to_replace_is_over() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [User::USER1]).await;
    let call = stage.established(User::JOHN).await;
    let consulted = stage.established(User::USER1).await;
    stage.end(&consulted).await;

    let mut target = transfer_target(User::USER1);
    target["replacesCallId"] = json!(consulted);
    transfer(&stage, &call, &target).await;

    assert_not_transferred(&stage, &call, 7700).await;
    phones[0].expect("CALL_CLOSED").await;
}

/// A call of the bot's number that is answered.
async fn established_by_number(stage: &Stage, target: Value) -> String {
    let instance = json!({"@odata.type": "#microsoft.graph.identity", "id": App::INSTANCE});
    let source = json!({"identity": {"applicationInstance": instance}});
    let request = stage.request(User::JOHN).with("targets", json!([target])).with("source", source);
    let call = stage.bot.call(&request).await;
    stage.webhook.expect_state(&call, "established").await;
    call
}

#[tokio::test]
async fn row_26_a_callee_is_transferred_to_a_phone_number() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, []).await;
    let call = established_by_number(&stage, target(User::JOHN)).await;

    transfer(&stage, &call, &number()).await;

    assert_transferred(&stage, &call).await;
    phones[0].command("hangup", "").await;
}

#[tokio::test]
async fn row_26_a_call_without_a_number_of_its_own_is_not_transferred_to_one_and_goes_on() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body = json!({"transferTarget": number(), "clientContext": CONTEXT});
    let reply = stage.bot.act(&call, "transfer", &body).await.expect(403);
    assert_eq!(reply.error_code(), "7507", "{reply}");
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "established");
    assert_changes(&stage, &call, &[("updated", "establishing"), ("updated", "established")]);
    stage.end(&call).await;
}

#[tokio::test]
async fn row_27_a_callee_is_transferred_to_the_phone_number_of_another_call() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, []).await;
    let call = established_by_number(&stage, target(User::JOHN)).await;
    let consulted = established_by_number(&stage, number()).await;

    let mut target = number();
    target["replacesCallId"] = json!(consulted);
    transfer(&stage, &call, &target).await;

    assert_transferred(&stage, &call).await;
    assert_eq!(stage.result_of(&consulted).await, (200, 5003));
    phones[0].command("hangup", "").await;
}

#[tokio::test]
async fn row_28_a_participant_is_transferred_out_of_a_group_call() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [User::USER1, User::USER2]).await;
    let targets = json!([target(User::JOHN), target(User::USER1)]);
    let call = stage.bot.call(&stage.request(User::JOHN).with("targets", targets)).await;
    stage.webhook.expect_state(&call, "established").await;
    let roster = stage.webhook.expect_roster(&call, "a roster of three", |those| those.len() == 3).await;
    let is_john = |it: &&Value| it["info"]["identity"]["user"]["id"] == User::JOHN.id;
    let john = roster.iter().find(is_john).expect("John in the roster");

    let target = transfer_target(User::USER2);
    let without = stage.bot.act(&call, "transfer", &json!({"transferTarget": target})).await.expect(400);
    assert_eq!(without.error_code(), "8523", "{without}");
    let body = json!({
        "transferTarget": target,
        "transferee": {
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": of_user(User::JOHN),
            "participantId": john["id"],
        },
    });
    let reply = stage.bot.act(&call, "transfer", &body).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    assert_transferred(&stage, &call).await;
    phones[2].expect("CALL_ESTABLISHED").await;
    phones[0].command("hangup", "").await;
    phones[2].expect("CALL_CLOSED").await;
}
