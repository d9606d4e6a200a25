//! Trunks that go down and come back.

use std::time::Duration;

use model::{Trunk, TrunkAccount, TrunkId, TrunkRegistration, TrunkSecret};
use trunk::{Denied, Effect, Failure, TrunkHealth};

use crate::harness::{Harness, next, trunk, trunks};

fn probed(id: &str) -> Trunk {
    Trunk { options_interval: Some(Duration::from_secs(30)), ..trunk(id) }
}

fn health(harness: &Harness) -> Vec<TrunkHealth> {
    harness.dialler.status().map(|status| status.health).collect()
}

fn report(harness: &mut Harness, id: &str, failure: Option<Failure>) {
    harness.dialler.probed(&id.into(), failure, harness.now);
}

#[test]
fn each_trunk_is_probed_at_once_and_then_at_its_interval() {
    let (a, b) = (TrunkId::from("a"), TrunkId::from("b"));
    let mut harness = Harness::new(vec![probed("a"), probed("b"), trunk("c")]);
    assert_eq!(harness.advance(0), [Effect::Probe(a.clone()), Effect::Probe(b)]);
    report(&mut harness, "a", None);
    report(&mut harness, "b", Some(Failure::status(405)));
    assert!(harness.advance(29_999).is_empty());
    assert_eq!(harness.advance(1).len(), 2);
    assert_eq!(harness.advance(59_999), [], "while their results are waited for");
    assert_eq!(harness.advance(1)[0], Effect::Probe(a));
    assert_eq!(health(&harness), [TrunkHealth::Up; 3]);
}

#[test]
fn a_trunk_whose_probes_fail_takes_no_calls_until_one_is_answered() {
    let a = TrunkId::from("a");
    let mut harness = Harness::new(vec![probed("a"), Trunk { priority: 1, ..trunk("b") }]);
    harness.advance(0);
    report(&mut harness, "a", Some(Failure::Timeout));
    assert_eq!(harness.advance(2000), [Effect::Probe(a.clone())], "soon again");
    report(&mut harness, "a", Some(Failure::Timeout));
    assert_eq!(harness.effects(), [Effect::Down(a.clone())]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["b"]);
    assert_eq!(harness.advance(5000), [Effect::Probe(a.clone())]);
    report(&mut harness, "a", None);
    assert_eq!(harness.effects(), [Effect::Up(a)]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["a", "b"]);
}

#[test]
fn calls_that_fail_take_a_trunk_out_and_one_call_tries_it_later() {
    let mut harness = Harness::new(vec![trunk("a"), Trunk { priority: 1, ..trunk("b") }]);
    for _ in 0..2 {
        let call = harness.plan().unwrap().call;
        assert_eq!(next(harness.fail(call, Failure::Unreachable)).as_deref(), Some("b"));
        harness.end(call);
    }
    assert_eq!(harness.effects(), [Effect::Down("a".into())]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["b"]);
    harness.wait(5000);
    let trial = harness.plan().unwrap();
    assert_eq!((trunks(&trial), trunks(&harness.plan().unwrap())), (vec!["a", "b"], vec!["b"]));
    harness.dialler.ringing(trial.call, harness.now);
    assert_eq!(harness.effects(), [Effect::Up("a".into())]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["a", "b"]);
}

#[test]
fn a_trial_that_is_given_up_shows_nothing_and_the_next_call_tries() {
    let mut harness = Harness::new(vec![trunk("a")]);
    for _ in 0..2 {
        let call = harness.plan().unwrap().call;
        harness.fail(call, Failure::Timeout);
    }
    assert_eq!(harness.plan(), Err(Denied::AllDown));
    harness.wait(5000);
    let trial = harness.plan().unwrap().call;
    assert_eq!(harness.plan(), Err(Denied::AllDown));
    assert!(harness.end(trial));
    let trial = harness.plan().unwrap().call;
    assert!(harness.fail(trial, Failure::status(486)).is_some());
    assert_eq!(health(&harness), [TrunkHealth::Up], "a busy callee shows that the trunk is there");
}

#[test]
fn a_peer_that_says_when_to_come_back_is_left_alone_until_then() {
    let mut harness = Harness::new(vec![trunk("a")]);
    let call = harness.plan().unwrap().call;
    harness.fail(call, Failure::Status { code: 503, retry_after: Some(Duration::from_secs(20)) });
    harness.wait(19_999);
    assert_eq!(harness.plan(), Err(Denied::AllDown));
    harness.wait(1);
    assert!(harness.plan().is_ok());
}

#[test]
fn a_trunk_that_went_down_meanwhile_is_left_out_of_what_is_next() {
    let mut harness = Harness::new(vec![trunk("a"), trunk("b"), trunk("c")]);
    let call = harness.plan().unwrap();
    assert_eq!(trunks(&call), ["a", "b", "c"]);
    for _ in 0..2 {
        report(&mut harness, "b", Some(Failure::Unreachable));
    }
    assert_eq!(next(harness.fail(call.call, Failure::Timeout)).as_deref(), Some("c"));
}

#[test]
fn a_trunk_that_registers_takes_calls_as_long_as_it_is_registered() {
    let account = TrunkAccount {
        username: "john".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration: Some(TrunkRegistration {
            address: "john@a.example".to_owned(),
            expires: Duration::from_secs(600),
        }),
    };
    let a = TrunkId::from("a");
    let mut harness = Harness::new(vec![Trunk { account: Some(account), ..trunk("a") }]);
    assert_eq!((harness.plan(), health(&harness)), (Err(Denied::AllDown), vec![TrunkHealth::Unregistered]));
    harness.dialler.set_registered(&a, true);
    assert!(harness.plan().is_ok());
    harness.dialler.set_registered(&a, false);
    assert_eq!(harness.effects(), [Effect::Up(a.clone()), Effect::Down(a.clone())]);
    assert!(harness.dialler.incoming(&a, harness.now).is_ok(), "what comes in proves itself");
}

#[test]
fn a_change_of_the_name_keeps_what_is_known_and_one_of_the_peer_does_not() {
    let mut harness = Harness::new(vec![trunk("a")]);
    (0..2).for_each(|_| report(&mut harness, "a", Some(Failure::Timeout)));
    let down = health(&harness);
    assert!(matches!(down[..], [TrunkHealth::Down { .. }]));
    harness.directory.trunks.get_mut(&"a".into()).unwrap().name = "New".to_owned();
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!(health(&harness), down);
    harness.directory.trunks.get_mut(&"a".into()).unwrap().peer.port = Some(5070);
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!(health(&harness), [TrunkHealth::Up]);
}
