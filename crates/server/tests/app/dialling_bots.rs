//! What phones meet that dial bots: names, limits, webhooks that send on, others who are faster.

use serde_json::{Value, json};
use testkit::{Answer, App, Baresip, Options, Phone, User};

use crate::support::{Stage, id_of, incoming_call};

async fn phone(stage: &Stage) -> Baresip {
    Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), Phone::AUTOMATIC).await
}

/// Lets the phone call a bot by what it writes before the `@`; returns the call as the bot is told of it then.
async fn dial(stage: &Stage, phone: &mut Baresip, name: &str) -> Value {
    let before = stage.webhook.received().len();
    phone.command("dial", &format!("sip:{name}@{}", stage.server.sip())).await;
    incoming_call(&stage.webhook, before).await
}

/// Lets the phone call somebody whom it does not reach, and returns what it is told.
async fn dial_in_vain(stage: &Stage, phone: &mut Baresip, name: &str) -> String {
    phone.command("dial", &format!("sip:{name}@{}", stage.server.sip())).await;
    let closed = phone.expect("CALL_CLOSED").await;
    closed["param"].as_str().unwrap_or_default().to_owned()
}

/// Where everything of a call was received, each place once, in order.
fn places(stage: &Stage, call: &str) -> Vec<String> {
    let mut places: Vec<_> = stage.webhook.of_call(call).into_iter().map(|received| received.path).collect();
    places.dedup();
    places
}

fn path(call: &str, action: &str) -> String {
    format!("/v1.0/communications/calls/{call}/{action}")
}

fn service_hosted() -> Value {
    json!({
        "callbackUri": "https://bot.contoso.com/callback",
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []},
    })
}

#[tokio::test]
async fn a_bot_is_dialled_by_its_alias_too() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage).await;
    let call = dial(&stage, &mut phone, "Calling-Bot").await;
    assert_eq!(call["targets"][0]["identity"]["application"]["id"], App::CALLING_BOT.id, "{call}");
    stage.bot.post(&path(&id_of(&call), "answer"), &service_hosted()).await.expect(202);
    phone.expect("CALL_ESTABLISHED").await;
    stage.end(&id_of(&call)).await;
}

#[tokio::test]
async fn a_user_has_only_so_many_calls_and_the_phone_is_busy_beyond() {
    let stage = Stage::with(Options::new().with("limits.calls_per_user", 1)).await;
    let mut phone = phone(&stage).await;
    let first = id_of(&dial(&stage, &mut phone, App::CALLING_BOT.id).await);
    let told = stage.webhook.received().len();

    for name in [App::TEST_BOT.id, User::BOB.sip_name] {
        let why = dial_in_vain(&stage, &mut phone, name).await;
        assert!(why.starts_with("486"), "{name}: {why}");
    }
    let refused = stage.server.metric(r#"hookswitch_calls_refused_total{limit="limits.calls_per_user"}"#);
    assert_eq!(refused.await, 2.0);
    assert!(stage.server.log_lines().iter().any(|line| line.contains("limits.calls_per_user")));
    assert_eq!(stage.webhook.received().len(), told, "nobody is told");

    stage.bot.post(&path(&first, "reject"), &json!({"reason": "busy"})).await.expect(202);
    phone.expect("CALL_CLOSED").await;
    stage.webhook.expect_end(&first).await;
    phone.command("dial", &format!("sip:{}@{}", User::BOB.sip_name, stage.server.sip())).await;
    phone.expect("CALL_RINGING").await;
    let why = dial_in_vain(&stage, &mut phone, App::TEST_BOT.id).await;
    assert!(why.starts_with("486"), "{why}");
}

#[tokio::test]
async fn calls_of_phones_count_as_an_applications_own_and_the_next_caller_is_told_to_try_later() {
    let stage = Stage::with(Options::new().with("limits.calls_per_app", 2)).await;
    let mut john = phone(&stage).await;
    let mut other =
        Baresip::register(&stage.server, User::USER1, stage.server.peer_address(4), Phone::AUTOMATIC).await;
    let own = stage.call(User::BOB).await;
    let first = id_of(&dial(&stage, &mut john, App::CALLING_BOT.id).await);

    let why = dial_in_vain(&stage, &mut other, App::CALLING_BOT.id).await;
    assert!(why.starts_with("480"), "{why}");
    let refused = stage.server.metric(r#"hookswitch_calls_refused_total{limit="limits.calls_per_app"}"#);
    assert_eq!(refused.await, 1.0);
    stage.bot.create(&stage.request(User::BOB)).await.expect(429);

    stage.bot.hang_up(&own).await.expect(204);
    stage.webhook.expect_end(&own).await;
    assert_ne!(id_of(&dial(&stage, &mut other, App::CALLING_BOT.id).await), first);
}

#[tokio::test]
async fn a_webhook_that_redirects_moves_the_rest_of_the_call_unless_the_answer_names_a_place() {
    let stage = Stage::new().await;
    let elsewhere = format!("http://{}/moved", stage.webhook.address());
    stage.webhook.answer_at("/callback", Answer::Redirect(302, elsewhere));
    let mut phone = phone(&stage).await;
    let named = format!("http://{}/named", stage.webhook.address());
    for (callback_uri, rest) in [(None, vec![]), (Some(named), vec!["/named"])] {
        let id = id_of(&dial(&stage, &mut phone, App::CALLING_BOT.id).await);
        let told = stage.webhook.expect(&id, "the call", |one| one.path == "/moved").await;
        assert_eq!((told.state(), told.answered), ("incoming", Some(202)));
        let mut body = service_hosted();
        body["callbackUri"] = callback_uri.into();
        stage.bot.post(&path(&id, "answer"), &body).await.expect(202);
        phone.expect("CALL_ESTABLISHED").await;
        stage.end(&id).await;
        phone.expect("CALL_CLOSED").await;
        assert_eq!(places(&stage, &id), [&["/callback", "/moved"], &*rest].concat());
    }
}

#[tokio::test]
async fn a_phone_that_rang_for_a_call_that_somebody_else_took_is_told_so() {
    let stage = Stage::new().await;
    let mut john = phone(&stage).await;
    let taking = Baresip::register(&stage.server, User::USER1, stage.server.peer_address(4), Phone::MANUAL);
    let setup = Phone { is_traced: true, ..Phone::MANUAL };
    let losing = Baresip::register(&stage.server, User::BOB, stage.server.peer_address(8), setup);
    let (mut taking, mut losing) = tokio::join!(taking, losing);
    let id = id_of(&dial(&stage, &mut john, App::CALLING_BOT.id).await);
    let target = |user: User| json!({"identity": {"user": {"id": user.id}}});
    let body = json!({"targets": [target(User::USER1), target(User::BOB)]});
    stage.bot.post(&path(&id, "redirect"), &body).await.expect(202);
    taking.expect("CALL_INCOMING").await;
    losing.expect("CALL_INCOMING").await;

    taking.command("accept", "").await;

    john.expect("CALL_ESTABLISHED").await;
    losing.expect("CALL_CLOSED").await;
    losing.expect_log(r#"Reason: SIP;cause=200;text="Call completed elsewhere""#).await;
    assert_eq!(stage.result_of(&id).await, (200, 0));
}
