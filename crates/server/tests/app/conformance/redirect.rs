//! Sending calls on that come in: the page `call-redirect`.

use serde_json::{Value, json};
use testkit::{App, Bot, Phone, Reply, User};

use super::{
    CALLBACK, assert_changes, assert_incoming, assert_notified, of_app, of_user, phone, result_info, target,
};
use crate::support::{Stage, assert_says, id_of, incoming_call};

/// What is told of a call that is sent on: nothing before its end.
const REDIRECTED: [(&str, &str); 2] = [("created", "incoming"), ("deleted", "terminated")];

/// Where the bot wants to be told of the rest of a call.
fn callback(call: &str) -> String {
    format!("{CALLBACK}/{call}")
}

/// Sends a call on with these members besides the documented ones.
async fn redirect(stage: &Stage, call: &str, targets: &[Value], more: &Value) -> Reply {
    let mut body = json!({"targets": targets, "callbackUri": callback(call)});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    stage.bot.act(call, "redirect", &body).await
}

/// The end is told at the new address, with the whole call and who answered.
async fn assert_redirected(stage: &Stage, call: &str, answered_by: &Value) {
    let end = stage.webhook.expect_end(call).await;
    let documented = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "terminated",
        "direction": "incoming",
        "callbackUri": callback(call),
        "source": {"@odata.type": "#microsoft.graph.participantInfo", "identity": of_user(User::JOHN)},
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": of_app(App::CALLING_BOT),
        }],
        "answeredBy": {"@odata.type": "#microsoft.graph.participantInfo", "identity": answered_by},
        "resultInfo": result_info(200, 0),
        "tenantId": App::CONTOSO,
    });
    assert_notified(&end, "deleted", &format!("calls/{call}"), &documented);
    assert_eq!(end.path, format!("/api/calls/{call}"));
    assert_changes(stage, call, &REDIRECTED);
    assert_eq!(stage.bot.show(call).await.expect(404).error_code(), "8522");
}

#[tokio::test]
async fn row_21_a_call_that_comes_in_is_redirected_to_another_application() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);
    let other = json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": of_app(App::TEST_BOT),
    });

    let reply = redirect(&stage, &call, &[other], &json!({})).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    let sent_on = stage.incoming(App::TEST_BOT).await;
    let second = assert_incoming(&sent_on, User::JOHN, App::TEST_BOT);
    let documented = json!({
        "callChainId": told.data()["callChainId"],
        "callRoutes": [{
            "@odata.type": "#microsoft.graph.callRoute",
            "routingType": "forwarded",
            "original": of_app(App::CALLING_BOT),
            "final": of_app(App::TEST_BOT),
        }],
    });
    assert_says(sent_on.data(), &documented, "$");
    let test_bot = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let media = json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []});
    let body =
        json!({"callbackUri": stage.webhook.url(), "acceptedModalities": ["audio"], "mediaConfig": media});
    test_bot.act(&second, "answer", &body).await.expect(202);
    stage.webhook.expect_state(&second, "established").await;
    assert_redirected(&stage, &call, &of_app(App::TEST_BOT)).await;
    test_bot.hang_up(&second).await.expect(204);
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_22_a_call_that_comes_in_rings_at_two_and_the_first_who_answers_has_it() {
    let stage = Stage::new().await;
    let mut caller = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let mut slow = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let mut quick = phone(&stage, 2, User::USER2, Phone::MANUAL).await;
    let told = stage.dial(&mut caller, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);

    let both = [target(User::USER1), target(User::USER2)];
    let policies = json!({"routingPolicies": ["disableForwarding"]});
    let reply = redirect(&stage, &call, &both, &policies).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    slow.expect("CALL_INCOMING").await;
    quick.expect("CALL_INCOMING").await;
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "redirecting");
    quick.command("accept", "").await;
    slow.expect("CALL_CLOSED").await;
    assert_redirected(&stage, &call, &of_user(User::USER2)).await;
    caller.expect("CALL_ESTABLISHED").await;
    caller.command("hangup", "").await;
    quick.expect("CALL_CLOSED").await;
}

/// The number that the example redirects to.
fn number() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "phone": {"@odata.type": "#microsoft.graph.identity", "id": "+15550100"},
        },
    })
}

#[tokio::test]
async fn row_23_a_call_to_a_number_of_the_bot_is_redirected_to_another_number() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    phone.command("dial", &format!("sip:+12345678900@{}", stage.server.sip())).await;
    let told = incoming_call(&stage.webhook, 0).await;
    let call = id_of(&told);
    let instance = json!({
        "@odata.type": "#microsoft.graph.identity",
        "id": App::INSTANCE,
        "displayName": App::CALLING_BOT.name,
        "tenantId": App::CONTOSO,
    });
    let target = &told["targets"][0];
    assert_says(&target["identity"]["applicationInstance"], &instance, "$.targets[0]");
    assert_eq!(target["endpointType"], "default", "{told}");

    let reply = redirect(&stage, &call, &[number()], &json!({"timeout": 60})).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    assert_eq!(end.data()["answeredBy"]["identity"]["phone"]["id"], "+15550100", "{}", end.body);
    phone.expect("CALL_ESTABLISHED").await;
    phone.command("hangup", "").await;
}

#[tokio::test]
async fn row_23_a_call_to_the_bot_itself_is_not_redirected_to_a_number_and_rings_on() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = id_of(told.data());

    let reply = redirect(&stage, &call, &[number()], &json!({"timeout": 60})).await.expect(403);

    assert_eq!(reply.error_code(), "7507", "{reply}");
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "incoming");
    stage.bot.act(&call, "reject", &json!({"reason": "busy"})).await.expect(202);
    phone.expect("CALL_CLOSED").await;
}
