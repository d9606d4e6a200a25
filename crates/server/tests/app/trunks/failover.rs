//! A trunk that does not carry calls costs a moment, not the call.

use sip_message::Method;
use testkit::{Account, Caller, Carrier, Options, Script, SipSocket};

use super::{ACCOUNT, NUMBER, Places, directory, established, incoming, settle, stage_with, trunk};
use crate::support::{Stage, id_of};

const TALKING: fn() -> Script = || Script::called().replies(180).answers().is_hung_up_on();

fn trunks(places: &Places, more: &str) -> String {
    let first = trunk("first", places.at(3), &format!("priority=1\n{more}"));
    let second = trunk("second", places.proxy(), "priority=2");
    format!("{first}{second}")
}

fn has_invite(socket: &SipSocket) -> bool {
    socket.requests().iter().any(|request| request.method == Method::Invite)
}

#[tokio::test]
async fn a_call_goes_over_the_second_trunk_where_the_first_one_is_dead() {
    let places = Places::take();
    let directory = directory("", &trunks(&places, "options-interval-s=0"));
    let options = Options::new().directory(&directory).with("trunks.attempt_timeout", "1s");
    // By its own timer (128 s) an INVITE would be given up after this test.
    let options = options.with("sip.timer_t1", "2s");
    let stage = Stage::with(options).await;
    // It is there and says nothing.
    let dead = SipSocket::bind(places.at(3), stage.server.sip()).await;
    let _proxy = places.proxy_for(&stage, None).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;

    assert!(has_invite(&dead), "the first trunk was tried");
    carrier.expect(&Method::Invite).await;
    stage.end(&call).await;
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_call_goes_over_the_second_trunk_where_nobody_is_at_the_first_one() {
    let places = Places::take();
    let stage = stage_with(&trunks(&places, "transport='tcp'\noptions-interval-s=0")).await;
    let _proxy = places.proxy_for(&stage, None).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;

    stage.end(&call).await;
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_call_goes_over_the_second_trunk_where_the_first_one_has_no_room() {
    let places = Places::take();
    let stage = stage_with(&trunks(&places, "options-interval-s=0")).await;
    let mut full = Carrier::take(places.at(3), &Script::called().replies(503)).await;
    let _proxy = places.proxy_for(&stage, None).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;

    full.finish().await;
    stage.end(&call).await;
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_callee_who_is_busy_is_not_tried_over_the_second_trunk() {
    let places = Places::take();
    let stage = stage_with(&trunks(&places, "options-interval-s=0")).await;
    let mut first = Carrier::take(places.at(3), &Script::called().replies(180).replies(486)).await;
    let second = SipSocket::bind(places.proxy(), stage.server.sip()).await;

    let call = super::call(&stage).await;

    assert_eq!(stage.result_of(&call).await, (486, 560_486));
    first.finish().await;
    assert!(!has_invite(&second), "the second trunk was tried");
}

#[tokio::test]
async fn a_registration_survives_a_restart_of_the_carrier() {
    let places = Places::take();
    let account = "account={username='contoso',password-file='user-password',register=true,expires-s=60}";
    let more = format!("{account}\noptions-interval-s=5");
    let stage = stage_with(&trunk("carrier", places.proxy(), &more)).await;
    let mut proxy = places.proxy_for(&stage, Some(Account { is_registered: true, ..ACCOUNT })).await;
    proxy.expect_registration().await;
    assert_is_called(&stage, &places).await;

    proxy.kill();
    proxy.restart().await;

    proxy.expect_registration().await;
    assert_is_called(&stage, &places).await;
    settle(&stage).await;
}

/// A call from the phone network reaches the bot, by where the server has registered.
async fn assert_is_called(stage: &Stage, places: &Places) {
    let before = stage.webhook.received().len();
    let script = Script::calling(&Caller::new("+15550100", NUMBER)).is_refused(603);
    let mut carrier = Carrier::call(places.gateway(), places.proxy(), &script).await;
    let call = id_of(&incoming(stage, before).await);
    stage.bot.act(&call, "reject", &serde_json::json!({"reason": "none"})).await.expect(202);
    carrier.finish().await;
}
