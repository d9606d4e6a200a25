//! Calls to numbers of the phone network, as the lab has them: the documented requests, and the test numbers.

use serde_json::{Value, json};
use testkit::{App, Options, User};

use crate::phone_command;
use crate::support::{Stage, assert_says, documented_call_to_number, id_of, incoming_call};

const SERVICE_HOSTED: &str = include_str!("../../../graph-wire/tests/requests/09-phone-number.json");
const CALLS: &str = "/v1.0/communications/calls";

/// A request for a call of the bot's number to another one.
async fn call(stage: &Stage, number: &str) -> String {
    let request = stage.request(User::JOHN).with("targets", json!([target(number)]));
    stage.bot.call(&request.with("source", source(App::INSTANCE))).await
}

fn target(number: &str) -> Value {
    json!({"identity": {"phone": {"@odata.type": "#microsoft.graph.identity", "id": number}}})
}

fn source(instance: &str) -> Value {
    json!({"identity": {"applicationInstance": {"id": instance}}})
}

#[tokio::test]
async fn the_documented_call_to_a_number_is_answered_with_every_documented_member() {
    let stage = Stage::new().await;

    let reply = stage.bot.post_text(CALLS, SERVICE_HOSTED).await.expect(201);

    let (told, base) = (reply.json(), stage.server.base_url());
    let media = json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"});
    assert_says(&told, &documented_call_to_number(&base, &media), "$");
    let id = id_of(&told);
    assert_eq!(reply.header("location"), Some(format!("{base}{CALLS}/{id}").as_str()));
    stage.webhook.expect_state(&id, "established").await;
    stage.end(&id).await;
}

#[tokio::test]
async fn each_test_number_ends_a_call_as_the_phone_network_would() {
    let stage = Stage::new().await;
    for (number, result) in
        [("+15005550001", (486, 560_486)), ("+15005550003", (404, 560_404)), ("+15005550004", (603, 560_603))]
    {
        let call = call(&stage, number).await;
        assert_eq!(stage.result_of(&call).await, result, "{number}");
    }
}

#[tokio::test]
async fn a_number_where_nobody_answers_is_given_up() {
    let stage = Stage::with(Options::new().with("calls.ringing_timeout", "1s")).await;
    let call = call(&stage, "+15005550002").await;
    assert_eq!(stage.result_of(&call).await, (480, 560_480));
}

#[tokio::test]
async fn a_number_that_presses_keys_is_heard_and_hangs_up() {
    let stage = Stage::new().await;
    let call = call(&stage, "+15005550006").await;
    stage.webhook.expect_state(&call, "established").await;
    stage.bot.start(&call, "subscribeToTone", &json!({"clientContext": "keys"})).await;
    let keys = stage.webhook.expect_tones(&call, 5).await;
    assert_eq!(keys, ["tone1", "tone2", "tone3", "tone4", "pound"]);
    assert_eq!(stage.result_of(&call).await, (200, 560_000));
}

#[tokio::test]
async fn a_number_is_invited_into_a_call_between_two() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body = json!({"participants": [target("+15005550005")], "clientContext": "more"});
    let reply = stage.bot.act(&call, "participants/invite", &body).await.expect(200);
    let operation = id_of(&reply.json());
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    let roster = stage.webhook.expect_roster(&call, "a roster of three", |those| those.len() == 3).await;
    let is_phone = |one: &&Value| one["info"]["identity"]["phone"]["id"] == "+15005550005";
    assert!(roster.iter().any(|one| is_phone(&one)), "{roster:?}");
    let busy = json!({"participants": [target("+15005550001")], "clientContext": "busy"});
    let reply = stage.bot.act(&call, "participants/invite", &busy).await.expect(200);
    let end = stage.webhook.expect_operation(&call, &id_of(&reply.json())).await;
    assert_eq!(end.result(), Some((486, 560_486)), "{}", end.body);
}

#[tokio::test]
async fn an_application_calls_numbers_in_the_name_of_its_own_instance_only() {
    let stage = Stage::new().await;
    let to_number = stage.request(User::JOHN).with("targets", json!([target("+12345678901")]));
    let by = |instance: &str| to_number.clone().with("source", source(instance));
    let without = stage.bot.create(&to_number).await.expect(403);
    assert_eq!(without.error_code(), "7507", "{without}");
    let unknown = stage.bot.create(&by("00000000-0000-4000-8000-000000000000")).await.expect(403);
    assert_eq!(unknown.error_code(), "7507", "{unknown}");
    let other = testkit::Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    assert_eq!(other.create(&by(App::INSTANCE)).await.expect(403).error_code(), "7507");
}

#[tokio::test]
async fn a_persons_phone_calls_the_number_of_a_bot_and_rings_there() {
    let stage = Stage::new().await;
    let arguments = ["--dial", "+12345678900", "--expect-refused", "486"];
    let phone = phone_command::Phone::start(&stage, User::JOHN, &arguments);
    let told = incoming_call(&stage.webhook, 0).await;
    assert_eq!(told["targets"][0]["identity"]["applicationInstance"]["id"], App::INSTANCE, "{told}");
    assert_eq!(told["source"]["identity"]["user"]["id"], User::JOHN.id, "{told}");
    stage.bot.act(&id_of(&told), "reject", &json!({"reason": "busy"})).await.expect(202);
    phone.ended().await.assert_code(0);
}

#[tokio::test]
async fn a_persons_phone_calls_a_number_of_the_lab_and_hears_its_keys() {
    let stage = Stage::new().await;
    let arguments = ["--dial", "tel:+15005550006", "--expect-dtmf", "1234#"];
    let phone = phone_command::Phone::start(&stage, User::JOHN, &arguments);
    phone.ended().await.assert_code(0);
}
