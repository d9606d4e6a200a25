//! The carrier of these tests does what they rely on: two of them call each other, and no server is between them.

use std::time::Duration;

use sip_message::Method;
use testkit::{
    Account, Caller, Calls, Carrier, Kamailio, Network, PortBlock, Registration, Script, SipSocket, User, Way,
};

const ACCOUNT: Account = Account {
    realm: User::DOMAIN,
    username: User::JOHN.sip_name,
    password: User::PASSWORD,
    is_registered: true,
};

/// Long enough for sound to be heard.
const TALK: Duration = Duration::from_secs(2);

/// A carrier's proxy, the phone network behind it, and a customer.
struct Stage {
    ports: PortBlock,
    proxy: Kamailio,
}

impl Stage {
    async fn new(account: Option<Account>) -> Self {
        let ports = PortBlock::take();
        let network = Network { customer: ports.address(3), gateway: ports.address(2), account };
        let proxy = Kamailio::start(ports.address(1), network).await;
        Self { ports, proxy }
    }

    /// Lets a customer call the phone network through the proxy, each as its script says.
    async fn call_out(&self, calling: Script, called: Script) {
        let mut network = Carrier::take(self.ports.address(2), &called).await;
        let mut customer = Carrier::call(self.ports.address(3), self.proxy.address(), &calling).await;
        customer.finish().await;
        network.finish().await;
    }

    /// Lets the phone network call a customer through the proxy.
    async fn call_in(&self, calling: Script, called: Script) {
        let mut customer = Carrier::take(self.ports.address(3), &called).await;
        let mut network = Carrier::call(self.ports.address(2), self.proxy.address(), &calling).await;
        network.finish().await;
        customer.finish().await;
    }
}

fn calling() -> Script {
    Script::calling(&Caller::new("+15550100", "+12345678900"))
}

#[tokio::test]
async fn a_call_through_the_proxy_has_sound_both_ways() {
    let stage = Stage::new(None).await;
    let called = Script::called().replies(180).answers().is_hung_up_on();
    let mut network = Carrier::take(stage.ports.address(2), &called).await;
    let script = calling().is_answered().waits(TALK).hangs_up();
    let mut customer = Carrier::call(stage.ports.address(3), stage.proxy.address(), &script).await;

    let invite = network.expect(&Method::Invite).await;
    assert_eq!(invite.uri.user().as_deref(), Some("+12345678900"));
    let asserted = invite.headers.asserted_identities().expect("identities that can be read");
    assert_eq!(asserted[0].uri.user().as_deref(), Some("+15550100"));
    assert!(invite.headers.has("Record-Route"), "{invite:?}");
    network.speak(440.0).await;
    customer.speak(700.0).await;
    network.hears(700).await;
    customer.hears(440).await;
    customer.finish().await;
    network.finish().await;
}

#[tokio::test]
async fn each_refusal_of_the_phone_network_reaches_the_caller() {
    let stage = Stage::new(None).await;
    for status in [302, 403, 404, 408, 480, 484, 486, 488, 500, 603] {
        stage.call_out(calling().is_refused(status), Script::called().replies(180).replies(status)).await;
    }
    // The proxy works, whatever is behind it (RFC 3261, 16.7).
    stage.call_out(calling().is_refused(500), Script::called().replies(503)).await;
}

#[tokio::test]
async fn early_media_comes_before_the_answer() {
    let stage = Stage::new(None).await;
    let calls = calling().is_answered().hangs_up();
    stage.call_out(calls, Script::called().sounds_early().replies(180).answers().is_hung_up_on()).await;
}

#[tokio::test]
async fn a_call_is_given_up_while_it_rings() {
    let stage = Stage::new(None).await;
    stage.call_out(calling().gives_up(), Script::called().replies(180).is_cancelled()).await;
}

#[tokio::test]
async fn early_media_is_acknowledged() {
    let stage = Stage::new(None).await;
    let called = Script::called().sounds_early_reliably().answers().is_hung_up_on();
    stage.call_out(calling().hears_early().is_answered().hangs_up(), called).await;
}

#[tokio::test]
async fn a_call_is_given_up_and_answered_at_the_same_time() {
    let stage = Stage::new(None).await;
    let called = Script::called().replies(180).is_cancelled_too_late().is_hung_up_on();
    stage.call_out(calling().gives_up_too_late().hangs_up(), called).await;
}

#[tokio::test]
async fn the_phone_network_itself_asks_for_a_password() {
    let stage = Stage::new(None).await;
    let called =
        Script::called().challenges("carrier.example", "contoso", "secret").answers().is_hung_up_on();
    let calls = calling().is_challenged("contoso", "secret").is_answered().hangs_up();
    stage.call_out(calls, called).await;
}

#[tokio::test]
#[should_panic(expected = "the INVITE does not answer the challenge")]
async fn a_wrong_password_fails_the_script_by_name() {
    let ports = PortBlock::take();
    let called = Script::called().challenges("carrier.example", "contoso", "secret").replies(403);
    let calls = calling().is_challenged("contoso", "wrong").is_refused(403);
    let mut network = Carrier::take(ports.address(1), &called).await;
    let _caller = Carrier::call(ports.address(2), ports.address(1), &calls).await;
    network.finish().await;
}

#[tokio::test]
async fn the_callee_hangs_up() {
    let stage = Stage::new(None).await;
    let called = Script::called().replies(180).answers().hangs_up();
    stage.call_out(calling().is_answered().is_hung_up_on(), called).await;
}

#[tokio::test]
async fn either_side_changes_the_session() {
    let stage = Stage::new(None).await;
    let hold = |script: Script| script.offers(Way::Out).offers(Way::Both).refreshes(1800);
    let held = |script: Script| {
        let held = script.is_offered_a_change().answers_with(Way::In, "");
        held.is_offered_a_change().answers().takes("UPDATE")
    };
    let (calls, called) = (calling().is_answered(), Script::called().answers());
    stage.call_out(hold(calls.clone()).hangs_up(), held(called.clone()).is_hung_up_on()).await;
    stage.call_out(held(calls).hangs_up(), hold(called).is_hung_up_on()).await;
}

#[tokio::test]
async fn offers_that_cross_are_refused() {
    let stage = Stage::new(None).await;
    // One offers before it has answered the other's offer.
    let crosses = calling().is_answered().is_offered_a_change().offers_in_vain(Way::Out, 491).replies(491);
    let is_crossed = Script::called().answers().crosses_an_offer(Way::Both);
    stage.call_out(crosses.hangs_up(), is_crossed.is_hung_up_on()).await;
}

#[tokio::test]
async fn the_phone_network_calls_the_customer() {
    let stage = Stage::new(None).await;
    stage
        .call_in(calling().is_answered().hangs_up(), Script::called().replies(180).answers().is_hung_up_on())
        .await;
    stage.call_in(calling().is_refused(404), Script::called().replies(404)).await;
}

#[tokio::test]
async fn a_caller_without_a_password_gets_no_further() {
    let stage = Stage::new(Some(ACCOUNT)).await;
    let mut caller =
        Carrier::call(stage.ports.address(3), stage.proxy.address(), &calling().is_refused(407)).await;
    caller.finish().await;
}

#[tokio::test]
async fn calls_go_to_where_the_customer_has_registered_until_the_carrier_is_restarted() {
    let mut stage = Stage::new(Some(ACCOUNT)).await;
    let place = stage.ports.address(4);
    register(&mut stage, place).await;
    for _ in 0..2 {
        let mut customer = Carrier::take(place, &Script::called().answers().is_hung_up_on()).await;
        let script = calling().is_answered().hangs_up();
        let mut network = Carrier::call(stage.ports.address(2), stage.proxy.address(), &script).await;
        let invite = customer.expect(&Method::Invite).await;
        assert_eq!(invite.uri.user().as_deref(), Some("+12345678900"));
        network.finish().await;
        customer.finish().await;

        stage.proxy.kill();
        stage.proxy.restart().await;
        let refused = calling().is_refused(480);
        Carrier::call(stage.ports.address(2), stage.proxy.address(), &refused).await.finish().await;
        register(&mut stage, place).await;
    }
}

/// Registers the customer at an address.
async fn register(stage: &mut Stage, place: std::net::SocketAddr) {
    let mut socket = SipSocket::bind(place, stage.proxy.address()).await;
    assert_eq!(socket.register(Registration::of(User::JOHN)).await, 200);
    assert!(stage.proxy.expect_registration().await.contains(&place.to_string()));
}

#[tokio::test]
async fn many_calls_in_a_second_go_through() {
    let stage = Stage::new(None).await;
    let called = Script::called().answers().is_hung_up_on();
    let calls = Calls { count: 100, per_second: 200 };
    let mut customer = Carrier::take_many(stage.ports.address(3), &called, calls.count).await;
    let script = calling().is_answered().hangs_up();
    let (from, to) = (stage.ports.address(2), stage.proxy.address());
    let mut network = Carrier::call_many(from, to, &script, calls).await;
    network.finish().await;
    customer.finish().await;
    assert_eq!(customer.sipp().requests(&Method::Bye).len(), 100);
}
