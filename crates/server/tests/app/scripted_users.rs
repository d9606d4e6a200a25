//! The users of the dev tenant, who need no phone.

use serde_json::json;
use testkit::{App, Bot, Options, User};

use crate::support::Stage;

/// A user that nobody knows.
const NOBODY: User = User { id: "00000000-0000-4000-8000-000000000000", name: "Nobody", sip_name: "nobody" };

#[tokio::test]
async fn user2_declines() {
    let stage = Stage::new().await;
    let call = stage.call(User::USER2).await;
    assert_eq!(stage.result_of(&call).await, (603, 8538));
}

#[tokio::test]
async fn bob_does_not_answer_in_time() {
    let stage = Stage::with(Options::new().with("calls.ringing_timeout", "1s")).await;
    let call = stage.call(User::BOB).await;
    assert_eq!(stage.result_of(&call).await, (487, 10004));
}

#[tokio::test]
async fn a_bot_that_hangs_up_while_it_rings_cancels_the_call() {
    let stage = Stage::new().await;
    let call = stage.call(User::BOB).await;
    stage.bot.hang_up(&call).await.expect(204);
    assert_eq!(stage.result_of(&call).await, (487, 0));
}

#[tokio::test]
async fn a_user_that_nobody_knows_is_not_found() {
    let stage = Stage::new().await;
    let call = stage.call(NOBODY).await;
    assert_eq!(stage.result_of(&call).await, (404, 8543));
}

#[tokio::test]
async fn without_the_lab_a_user_without_a_phone_has_no_endpoint() {
    let stage = Stage::with(Options::new().with("lab.enabled", "false")).await;
    let call = stage.call(User::JOHN).await;
    assert_eq!(stage.result_of(&call).await, (480, 10037));
}

#[tokio::test]
async fn calls_of_one_application_are_not_another_ones() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;

    assert_eq!(other.show(&call).await.expect(404).error_code(), "8522");
    assert_eq!(other.hang_up(&call).await.expect(404).error_code(), "8522");
    let operations = format!("/v1.0/communications/calls/{call}/operations");
    assert_eq!(other.get(&operations).await.expect(404).error_code(), "8522");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_call_without_keep_alive_ends() {
    let stage = Stage::with(Options::new().with("calls.keep_alive_timeout", "1s")).await;
    let call = stage.call(User::USER1).await;
    assert_eq!(stage.result_of(&call).await, (408, 8537));
}

#[tokio::test]
async fn a_tenant_whose_id_is_no_guid_works_as_well() {
    let stage = Stage::new().await;
    let bot = Bot::signed_in(&stage.server, App::CALLING_BOT, App::FABRIKAM).await;

    let call = bot.call(&stage.request(User::USER2).with("tenantId", json!(App::FABRIKAM))).await;
    stage.webhook.expect_end(&call).await;

    stage.webhook.verify_tokens(&stage.server, App::CALLING_BOT.id, App::FABRIKAM).await;
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_hangs_up_and_says_so() {
    let mut stage = Stage::new().await;
    let call = stage.established(User::USER1).await;

    assert_eq!(stage.server.terminate().await, 0);

    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.state(), "terminated");
}
