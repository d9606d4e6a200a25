use std::num::NonZeroU32;
use std::time::Duration;

use call_engine::EndCause;
use model::{Trunk, TrunkAccount, TrunkBudget, TrunkRegistration, TrunkSecret};
use sip_message::{Method, Request};

use super::super::means_same;
use super::{Bench, Carrier, PATIENT, SDP, directory, trunk_at};
use crate::far_end::FarEndEvent;

/// So often that a test need not wait long.
const OFTEN: Duration = Duration::from_millis(20);

fn registering(carrier: &Carrier) -> Trunk {
    let registration = TrunkRegistration {
        address: "customer@carrier.example".to_owned(),
        expires: Duration::from_secs(600),
    };
    let account = TrunkAccount {
        username: "customer".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration: Some(registration),
    };
    Trunk { account: Some(account), ..carrier.trunk("a", 1) }
}

impl Carrier {
    async fn grant(&self, register: &Request) {
        let contact = format!("{};expires=600", register.headers.get("Contact").unwrap());
        let mut response = register.response(sip_message::StatusCode::OK);
        response.headers.set_to_tag("registrar").unwrap();
        response.headers.push("Contact", contact);
        self.socket.send_to(&response.to_bytes(), self.server.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_says_that_it_cannot_take_calls_is_left_alone() {
    let mut carrier = Carrier::open().await;
    let trunk = Trunk { options_interval: Some(OFTEN), ..carrier.trunk("a", 1) };
    let bench = Bench::new([trunk], PATIENT).await;
    let asked = carrier.request(Method::Options).await;
    carrier.reply(&asked, 503, &[], "").await;
    let asked = carrier.request(Method::Options).await;
    carrier.reply(&asked, 503, &[], "").await;
    bench.until(|bench| bench.trunks.stats().down == 1).await;
    assert!(bench.plan(super::CALLED).is_err());
}

#[tokio::test]
async fn a_trunk_registers_and_takes_that_back_at_the_end() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([registering(&carrier)], PATIENT).await;
    let register = carrier.request(Method::Register).await;
    assert_eq!(register.headers.to().unwrap().uri.to_string(), "sip:customer@carrier.example");
    assert_eq!(bench.trunks.stats().unregistered, 1);
    carrier.grant(&register).await;
    bench.until(|bench| bench.trunks.stats().up == 1).await;

    let draining = bench.trunks.clone();
    let drained = tokio::spawn(async move { draining.drain().await });
    let last = carrier.request(Method::Register).await;
    assert_eq!(last.headers.expires().unwrap(), Some(0));
    carrier.grant(&last).await;
    drained.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_comes_back_is_registered_at_again_at_once() {
    let mut carrier = Carrier::open().await;
    let trunk = Trunk { options_interval: Some(OFTEN), ..registering(&carrier) };
    let bench = Bench::new([trunk], PATIENT).await;
    let first = loop {
        match carrier.message().await {
            sip_message::Message::Request(request) if request.method == Method::Register => break request,
            sip_message::Message::Request(request) => carrier.reply(&request, 200, &[], "").await,
            sip_message::Message::Response(_) => {}
        }
    };
    carrier.grant(&first).await;
    bench.until(|bench| bench.trunks.stats().up == 1).await;
    let asked = carrier.request(Method::Options).await;
    carrier.reply(&asked, 503, &[], "").await;
    let again = loop {
        match carrier.message().await {
            sip_message::Message::Request(request) if request.method == Method::Register => break request,
            sip_message::Message::Request(request) => carrier.reply(&request, 200, &[], "").await,
            sip_message::Message::Response(_) => {}
        }
    };
    assert_eq!(again.headers.call_id().unwrap(), first.headers.call_id().unwrap());
    assert!(again.headers.cseq().unwrap().seq > first.headers.cseq().unwrap().seq);
}

#[tokio::test]
async fn a_trunk_that_comes_and_goes_with_the_directory_registers_and_leaves() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([], PATIENT).await;
    let change = |trunks: Vec<Trunk>| {
        bench.directory.store(directory(trunks).load_full());
        bench.trunks.directory_changed();
    };
    change(vec![registering(&carrier)]);
    let register = carrier.request(Method::Register).await;
    carrier.grant(&register).await;
    bench.until(|bench| bench.trunks.stats().up == 1).await;
    change(Vec::new());
    let last = carrier.request(Method::Register).await;
    assert_eq!(last.headers.expires().unwrap(), Some(0));
    assert_eq!(bench.trunks.stats().up, 0);
}

#[tokio::test]
async fn a_call_whose_application_has_used_up_its_day_is_hung_up_and_says_so() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    carrier.reply(&invite, 200, &[], SDP).await;
    assert!(matches!(call.next().await, FarEndEvent::Answered { .. }));
    carrier.request(Method::Ack).await;
    let mut known = model::Directory::clone(&bench.directory.load());
    let app = model::Application {
        id: "bot".into(),
        name: "Bot".to_owned(),
        alias: None,
        secret_hashes: Vec::new(),
        assertion_keys: Vec::new(),
        webhook: None,
        is_calling_enabled: true,
        trunk_budget: TrunkBudget { calls_per_day: 1, minutes_per_day: 0 },
    };
    known.applications.insert(app.id.clone(), app);
    bench.directory.store(std::sync::Arc::new(known.into()));
    bench.trunks.directory_changed();
    let bye = carrier.request(Method::Bye).await;
    carrier.reply(&bye, 200, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(403));
    assert!(bench.plan(super::CALLED).is_err());
}

#[test]
fn a_trunk_is_another_one_where_its_peer_is() {
    let registration = TrunkRegistration {
        address: "customer@carrier.example".to_owned(),
        expires: Duration::from_secs(600),
    };
    let account = |registration| TrunkAccount {
        username: "customer".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration,
    };
    let trunk = trunk_at(([192, 0, 2, 1], 5060).into(), "a", 1);
    let registering = Trunk { account: Some(account(Some(registration))), ..trunk.clone() };
    assert!(means_same(&trunk, &Trunk { concurrent_calls: NonZeroU32::MIN, ..trunk.clone() }));
    assert!(!means_same(&trunk, &registering));
    assert!(!means_same(&registering, &Trunk { account: Some(account(None)), ..trunk.clone() }));
    assert!(!means_same(&trunk, &Trunk { options_interval: Some(OFTEN), ..trunk.clone() }));
}
