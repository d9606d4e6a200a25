//! Refusing calls that come in: the page `call-reject`.

use serde_json::{Value, json};
use testkit::{App, Phone, User};

use super::{CALLBACK, CALLBACK_PATH, assert_changes, assert_incoming, assert_notified, phone};
use crate::support::Stage;

/// The phone hears why, and the bot is told of the end, in which there is nothing but which call it was.
async fn assert_rejected(reason: &str, status: &str) {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);

    let body = json!({"callbackUri": CALLBACK, "reason": reason});
    let reply = stage.bot.act(&call, "reject", &body).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    let closed = phone.expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with(status)), "{closed}");
    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.path, CALLBACK_PATH);
    let url = format!("/communications/calls/{call}");
    let documented = json!({"@odata.type": "#microsoft.graph.call", "@odata.id": url});
    assert_notified(&end, "deleted", &format!("calls/{call}"), &documented);
    assert_eq!(end.data().as_object().map(serde_json::Map::len), Some(2), "{}", end.body);
    assert_eq!(end.data()["resultInfo"], Value::Null);
    assert_changes(&stage, &call, &[("created", "incoming"), ("deleted", "")]);
    assert_eq!(stage.bot.act(&call, "reject", &body).await.expect(404).error_code(), "8522");
}

#[tokio::test]
async fn row_19_a_call_that_comes_in_is_rejected_as_busy() {
    assert_rejected("busy", "486").await;
}

#[tokio::test]
async fn row_20_a_call_that_comes_in_is_rejected_without_a_reason() {
    assert_rejected("none", "603").await;
}
