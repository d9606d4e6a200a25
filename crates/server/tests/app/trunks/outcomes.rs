//! Each end of a call to a number has its documented result.

use std::time::Duration;

use sip_message::Method;
use testkit::{Carrier, Options, Script, SipSocket};

use super::{Places, call, directory, established, settle, stage_with, trunk};
use crate::support::Stage;

#[tokio::test]
async fn each_refusal_of_the_carrier_has_its_code_and_subcode() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.gateway(), "")).await;
    let refusals = [
        (403, (403, 560_403)),
        (404, (404, 560_404)),
        (408, (408, 560_408)),
        (480, (480, 560_480)),
        (484, (484, 560_484)),
        (486, (486, 560_486)),
        (487, (487, 560_487)),
        (488, (488, 560_488)),
        (500, (500, 560_500)),
        (600, (600, 560_600)),
        (603, (603, 560_603)),
        // After it the trunk is left alone for a while.
        (503, (503, 560_503)),
    ];
    for (status, result) in refusals {
        let mut carrier =
            Carrier::take(places.gateway(), &Script::called().replies(180).replies(status)).await;
        let call = call(&stage).await;
        assert_eq!(stage.result_of(&call).await, result, "{status}");
        carrier.finish().await;
    }
    settle(&stage).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.gateway(), "")).await;
    let elsewhere = SipSocket::bind(places.at(3), stage.server.sip()).await;
    let contact = format!("Contact: <sip:+19005550100@{}>", elsewhere.address());
    let mut carrier = Carrier::take(places.gateway(), &Script::called().replies_with(302, &contact)).await;

    let call = call(&stage).await;

    assert_eq!(stage.result_of(&call).await, (480, 560_480));
    carrier.finish().await;
    settle(&stage).await;
    assert!(elsewhere.requests().is_empty(), "somebody else was called");
}

#[tokio::test]
async fn a_callee_who_hangs_up_ends_the_call() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.proxy(), "")).await;
    let _proxy = places.proxy_for(&stage, None).await;
    let script = Script::called().replies(180).answers().waits(Duration::from_millis(500)).hangs_up();
    let mut carrier = Carrier::take(places.gateway(), &script).await;

    let call = established(&stage).await;

    assert_eq!(stage.result_of(&call).await, (200, 560_000));
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn a_carrier_that_says_nothing_is_given_up() {
    let places = Places::take();
    let options = Options::new()
        .directory(&directory("", &trunk("carrier", places.gateway(), "options-interval-s=0")))
        .with("trunks.attempt_timeout", "500ms")
        // By its own timer (128 s) the INVITE would be given up after this test.
        .with("sip.timer_t1", "2s");
    let stage = Stage::with(options).await;
    let carrier = SipSocket::bind(places.gateway(), stage.server.sip()).await;

    let call = call(&stage).await;

    assert_eq!(stage.result_of(&call).await, (408, 560_408));
    assert_eq!(carrier.requests().first().map(|request| request.method.clone()), Some(Method::Invite));
    settle(&stage).await;
}

#[tokio::test]
async fn a_proxy_whose_phone_network_is_gone_says_so() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.proxy(), "")).await;
    let _proxy = places.proxy_for(&stage, None).await;

    let call = call(&stage).await;

    // Its own time-out for what is behind it.
    assert_eq!(stage.result_of(&call).await, (408, 560_408));
    settle(&stage).await;
}
