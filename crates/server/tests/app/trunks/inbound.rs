//! People call a bot's number.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sip_message::Method;
use testkit::{App, Caller, Calls, Carrier, Kamailio, Script};

use super::{INSTANCE, NUMBER, Places, incoming, settle, stage_with, trunk};
use crate::support::{Stage, assert_says, id_of};

/// Who calls.
const CALLER: &str = "+12025550100";
/// Long enough for everything that is done in a call.
const TALK: Duration = Duration::from_secs(8);

async fn stage(places: &Places, more: &str) -> (Stage, Kamailio) {
    let stage = stage_with(&trunk("carrier", places.proxy(), more)).await;
    let proxy = places.proxy_for(&stage, None).await;
    (stage, proxy)
}

fn calling() -> Script {
    Script::calling(&Caller::new(CALLER, NUMBER))
}

async fn answer(stage: &Stage, call: &str) {
    let body = json!({
        "callbackUri": stage.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    stage.bot.act(call, "answer", &body).await.expect(202);
}

/// The documented notification of a call from the phone network.
fn documented(caller: &Value) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call",
        "state": "incoming",
        "direction": "incoming",
        "source": {"@odata.type": "#microsoft.graph.participantInfo", "identity": caller},
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "endpointType": "default",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "applicationInstance": {
                    "@odata.type": "#microsoft.graph.identity",
                    "displayName": App::CALLING_BOT.name,
                    "id": INSTANCE,
                    "tenantId": App::CONTOSO,
                },
            },
        }],
        "requestedModalities": ["audio"],
        "tenantId": App::CONTOSO,
    })
}

fn of_caller(number: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.identitySet",
        "phone": {"@odata.type": "#microsoft.graph.identity", "id": number},
    })
}

#[tokio::test]
async fn a_caller_reaches_the_bot_presses_keys_and_hangs_up() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    for script in [calling(), calling().with_keys_as_sound()] {
        let before = stage.webhook.received().len();
        let script = script.is_answered().waits(TALK).hangs_up();
        let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
        let told = incoming(&stage, before).await;
        assert_says(&told, &documented(&of_caller(CALLER)), "$");
        assert_eq!(told["targets"][0]["id"], told["myParticipantId"], "{told}");
        let call = id_of(&told);
        answer(&stage, &call).await;
        stage.webhook.expect_state(&call, "established").await;
        stage.bot.act(&call, "subscribeToTone", &json!({"clientContext": "keys"})).await.expect(200);
        carrier.speak(1.0).await;
        carrier.press("15#");
        assert_eq!(stage.webhook.expect_tones(&call, 3).await, ["tone1", "tone5", "pound"]);
        assert_eq!(stage.result_of(&call).await, (200, 540_000));
        carrier.finish().await;
    }
    settle(&stage).await;
}

#[tokio::test]
async fn a_bot_hangs_up_on_a_caller() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    let script = calling().is_answered().is_hung_up_on();
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let call = id_of(&incoming(&stage, 0).await);
    answer(&stage, &call).await;
    stage.webhook.expect_state(&call, "established").await;
    stage.end(&call).await;
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_caller_hears_why_the_bot_does_not_take_the_call() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    for (reason, status) in [("busy", 486), ("none", 603), ("forbidden", 403)] {
        let before = stage.webhook.received().len();
        let script = calling().is_refused(status);
        let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
        let call = id_of(&incoming(&stage, before).await);
        stage.bot.act(&call, "reject", &json!({"reason": reason})).await.expect(202);
        stage.webhook.expect_end(&call).await;
        carrier.finish().await;
    }
}

#[tokio::test]
async fn a_caller_gives_up() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &calling().gives_up()).await;
    let call = id_of(&incoming(&stage, 0).await);
    assert_eq!(stage.result_of(&call).await, (487, 540_487));
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn numbers_are_read_as_the_trunk_writes_them() {
    let places = Places::take();
    let rules = "incoming-rules=[{from='00',to='+'},{from='',to='+1',digits=10}]\ntrusted=true";
    let (stage, proxy) = stage(&places, rules).await;
    let caller =
        Caller { asserted: Some("2025550100".to_owned()), ..Caller::new("0012025550199", "2345678900") };
    let script = Script::calling(&caller).is_refused(603);
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let told = incoming(&stage, 0).await;
    // What a trusted carrier asserts counts more than what the caller says.
    assert_says(&told, &documented(&of_caller(CALLER)), "$");
    stage.bot.act(&id_of(&told), "reject", &json!({"reason": "none"})).await.expect(202);
    carrier.finish().await;
}

#[tokio::test]
async fn a_caller_who_withholds_the_number_is_not_told_of() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    let caller = Caller::new("anonymous", NUMBER).with("Privacy", "id");
    let script = Script::calling(&Caller { asserted: Some(CALLER.to_owned()), ..caller }).is_refused(603);
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let told = incoming(&stage, 0).await;
    assert!(!told.to_string().contains(CALLER), "{told}");
    stage.bot.act(&id_of(&told), "reject", &json!({"reason": "none"})).await.expect(202);
    carrier.finish().await;
}

#[tokio::test]
async fn a_number_that_nobody_has_is_not_found_and_no_bot_hears_of_it() {
    let places = Places::take();
    let (stage, proxy) = stage(&places, "").await;
    let script = Script::calling(&Caller::new(CALLER, "+12345678999")).is_refused(404);
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    carrier.finish().await;
    settle(&stage).await;
    assert!(stage.webhook.received().is_empty(), "{}", stage.webhook.summary());
}

#[tokio::test]
async fn somebody_who_is_not_the_carrier_does_not_reach_the_bot() {
    let places = Places::take();
    let (stage, _proxy) = stage(&places, "").await;
    // A stranger is asked for the password that phones have.
    let stranger = SocketAddr::from(([127, 0, 0, 3], places.gateway().port()));
    let script = calling().is_refused(401);
    let mut carrier = Carrier::call(stranger, stage.server.sip(), &script).await;
    carrier.finish().await;
    settle(&stage).await;
    assert!(stage.webhook.received().is_empty(), "{}", stage.webhook.summary());
}

#[tokio::test]
async fn a_flood_does_not_keep_the_server_from_its_work() {
    let places = Places::take();
    let more = "calls-per-second=5\nconcurrent-calls=10";
    let (stage, proxy) = stage(&places, more).await;
    let flood = Script::calling(&Caller::new(CALLER, "+12345678999"));
    let calls = Calls { count: 900, per_second: 300 };
    let stranger = SocketAddr::from(([127, 0, 0, 3], places.gateway().port()));
    let _flood = Carrier::call_many(stranger, stage.server.sip(), &flood, calls).await;

    let script = calling().is_answered().is_hung_up_on();
    let mut carrier = Carrier::call(places.gateway(), proxy.address(), &script).await;
    let call = id_of(&incoming(&stage, 0).await);
    answer(&stage, &call).await;
    stage.webhook.expect_state(&call, "established").await;
    stage.end(&call).await;
    assert_eq!(carrier.sipp().requests(&Method::Bye).len(), 1);
    carrier.finish().await;
    let told = stage.webhook.received();
    assert!(told.iter().all(|one| one.call() == call), "{}", stage.webhook.summary());
    assert_counted(&stage, "hookswitch_sip_invites_refused_total{reason=\"unproven\"}").await;
}

#[tokio::test]
async fn calls_of_a_carrier_to_numbers_that_nobody_has_are_counted_and_not_all_answered() {
    let places = Places::take();
    let more = "calls-per-second=100\nconcurrent-calls=10";
    let stage = stage_with(&trunk("carrier", places.gateway(), more)).await;
    let flood = Script::calling(&Caller::new(CALLER, "+12345678999"));
    let calls = Calls { count: 60, per_second: 60 };
    let _flood = Carrier::call_many(places.gateway(), stage.server.sip(), &flood, calls).await;

    assert_counted(&stage, "hookswitch_trunk_calls_refused_total{reason=\"unknown_number\"}").await;
    assert_counted(&stage, "hookswitch_trunk_calls_unanswered_total").await;
    assert!(stage.webhook.received().is_empty(), "{}", stage.webhook.summary());
}

/// Waits until something has been counted.
async fn assert_counted(stage: &Stage, metric: &str) {
    testkit::eventually(&format!("{metric} is above 0"), async || {
        let count = stage.server.metric(metric).await;
        (count > 0.0, count)
    })
    .await;
}
